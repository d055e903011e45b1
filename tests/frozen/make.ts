/**
 * Made the frozen volumes in this folder. It is kept to tell how they came to
 * be, and to add others: tests never run it, and what it has made must not be
 * made again, since these volumes stand for those that people have.
 *
 *     deno run --allow-all tests/frozen/make.ts NAME...
 *
 * makes NAME.tar.gz, and adds it to volumes.json. The images of the original
 * are encrypted, and their trees computed, by tests/support/original.py. The
 * image "bdverity" was formatted by mke2fs, with a journal, as the original's
 * own images have one.
 */

import { parseArgs } from "node:util";
import type { BlockDevice } from "../../bd/block_device.ts";
import type { CipherName } from "../../bd/crypt.ts";
import type { HashAlgorithm } from "../../bd/hmac.ts";
import type { MemoryDevice } from "../../bd/memory.ts";
import { encodeState } from "../../bd/original/root_file.ts";
import {
  type AnchorPlace,
  createVolume,
  type DeviceKind,
  JOURNAL_BYTES_MIN,
  KeyChange,
  openVolume,
  type Secret,
} from "../../bd/volume/mod.ts";
import { Filesystem, Paths, ROOT_INODE, S_IFIFO } from "../../fs/mod.ts";
import {
  FROZEN_KEY,
  FROZEN_PASSPHRASE,
  type FrozenVolume,
  frozenVolumes,
  sha256,
} from "../support/frozen.ts";
import { formatted, loadImage, saveImage } from "../support/images.ts";
import { original } from "../support/original.ts";
import { must, withTempDir } from "../support/tools.ts";

const FOLDER = new URL(".", import.meta.url).pathname;
const TIME = { sec: 1_000_000_000, nsec: 123_456_789 };
const PASSWORD = "password";
const MAC_PASSWORD = "mac password";

/** `length` bytes that depend on `seed`. */
function pattern(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (seed + i * 11) % 253);
}

/** Makes the files that every frozen volume has. */
function populate(fs: Filesystem): void {
  const paths = new Paths(fs);
  // One block is enough here, where every block takes space for ever.
  paths.remove("lost+found");
  paths.mkdir("lost+found", { mode: 0o700 });
  paths.writeFile("hello", "hello, frozen volume\n", { mode: 0o644 });
  paths.link("hello", "hello again");
  paths.mkdir("dir", { mode: 0o750 });
  const large = paths.writeFile("dir/large", pattern(1, 3000), { mode: 0o600 });
  fs.write(large, 20_000, pattern(2, 1500));
  fs.setattr(large, { mode: 0o600, uid: 1000, gid: 100_000 });
  paths.symlink("dir/large", "link");
  paths.symlink("x".repeat(100), "dir/long link");
  fs.mknod(ROOT_INODE, "fifo", { kind: S_IFIFO, mode: 0o622 });
  const attributes = paths.writeFile("Ünïcödé", "");
  fs.setxattr(attributes, "user.name", pattern(3, 50));
  fs.setxattr(attributes, "trusted.empty", new Uint8Array());
  const names = ["hello", "dir", "dir/large", "fifo", "Ünïcödé", "lost+found"];
  for (const name of names) {
    fs.setattr(paths.resolve(name), { mtime: TIME, atime: TIME });
  }
}

/** An ext2 volume in memory, with the files or without. */
async function plainVolume(
  blockSize: number,
  blockCount: number,
  { isEmpty = false }: { isEmpty?: boolean } = {},
): Promise<MemoryDevice> {
  const device = formatted({ blockSize, blockCount, inodeCount: 20 });
  const fs = Filesystem.open(device);
  if (!isEmpty) populate(fs);
  await fs.close();
  // The copy is open.
  return device.copy();
}

const keyFile = (): Secret => ({ kind: "keyfile", bytes: FROZEN_KEY.slice() });
const passphrase = (): Secret => ({
  kind: "passphrase",
  bytes: new TextEncoder().encode(FROZEN_PASSPHRASE),
});

interface OurShape {
  device: DeviceKind;
  blockSize: number;
  blockCount: number;
  /** Whether all files are in records of the journal only. */
  isPending?: boolean;
  /** Where the anchor is; beside if absent. */
  anchor?: AnchorPlace;
}

/** Makes `DIR/volume`, one of ours. */
async function makeOurs(dir: string, shape: OurShape): Promise<void> {
  const { device, blockSize, blockCount, isPending, anchor } = shape;
  const plain = await plainVolume(blockSize, blockCount, {
    isEmpty: isPending,
  });
  const path = `${dir}/volume`;
  await createVolume(path, {
    device,
    blockSize,
    blockCount,
    secret: device === "std" ? undefined : keyFile(),
    slot: { label: "a key file" },
    anchor,
    journalSize: JOURNAL_BYTES_MIN,
    fill: (volume) => copy(plain, volume.device),
  });
  if (device !== "std") {
    const ask = (): Promise<Secret> => Promise.resolve(keyFile());
    using change = await KeyChange.open(path, ask);
    await change.add(passphrase(), { scrypt: { n: 1024, r: 8, p: 1 } });
  }
  if (isPending) await populatePending(path);
}

/** Makes the files, in two commits, and leaves them in the journal. */
async function populatePending(path: string): Promise<void> {
  const secret = (): Promise<Secret> => Promise.resolve(keyFile());
  const volume = await openVolume(path, { secret });
  const fs = Filesystem.open(volume.device);
  const first = fs.create(ROOT_INODE, "removed again");
  fs.write(first, 0, pattern(9, 2500));
  await fs.sync();
  new Paths(fs).remove("removed again");
  populate(fs);
  await fs.sync();
  // As if it were killed now.
  volume.close();
}

/** Copies the blocks that are not of zeros. */
async function copy(from: BlockDevice, to: BlockDevice): Promise<void> {
  const block = new Uint8Array(from.blockSize);
  for (let i = 0; i < from.blockCount; i++) {
    from.read(i, block);
    if (block.some((byte) => byte !== 0)) to.write(i, block);
  }
  await to.flush();
}

interface OriginalShape {
  blockSize: number;
  blockCount: number;
  cipher?: CipherName;
  /** Key of the tree; null for plain hashes; undefined for no tree. */
  key?: string | null;
  algorithm?: HashAlgorithm;
  /** Whether mke2fs formats it, with a journal. */
  journal?: boolean;
  /** Whether the trusted state is in a root file. */
  rootFile?: boolean;
}

/** Makes `DIR/image` and what belongs to it; returns DEVICE. */
async function makeOriginal(
  dir: string,
  shape: OriginalShape,
): Promise<string> {
  const { blockSize, blockCount, cipher, key, algorithm = "sha256" } = shape;
  const image = `${dir}/image`;
  if (shape.journal) await makeJournalled(image, shape);
  else await saveImage(await plainVolume(blockSize, blockCount), image);
  if (cipher !== undefined) await encrypt(image, { cipher, blockSize });
  if (key === undefined) return `bdcrypt:${PASSWORD}:${cipher}`;
  const tree = `${dir}/tree`;
  const [root] = await original([
    { do: "tree", image, tree, algorithm, blockSize, key },
  ]);
  let trusted = `${root}@${blockCount}`;
  if (shape.rootFile) {
    const state = {
      algorithm,
      blockSize,
      leafCount: blockCount,
      root: Uint8Array.fromHex(root),
    };
    await Deno.writeFile(`${dir}/root`, encodeState(state));
    trusted = "file=root";
  }
  const verity = `tree:${key ?? ""}:${trusted}`;
  return cipher === undefined
    ? `bdverity:${verity}`
    : `bdvericrypt:${verity}:${PASSWORD}:${cipher}`;
}

async function encrypt(
  image: string,
  options: { cipher: CipherName; blockSize: number },
): Promise<void> {
  const from = `${image}.plain`;
  await Deno.rename(image, from);
  await original([
    { do: "encrypt", from, to: image, password: PASSWORD, ...options },
  ]);
  await Deno.remove(from);
}

async function makeJournalled(
  image: string,
  { blockSize, blockCount }: OriginalShape,
): Promise<void> {
  const features = "none,has_journal,filetype,ext_attr,sparse_super,large_file";
  await must("truncate", "-s", String(blockSize * blockCount), image);
  await must(
    ...["mke2fs", "-q", "-t", "ext3", "-O", features, "-b", `${blockSize}`],
    ...["-I", "256", "-N", "32", "-J", "size=1", image, `${blockCount}`],
  );
  const device = await loadImage(image);
  const fs = Filesystem.open(device);
  populate(fs);
  await fs.close();
  await saveImage(device, image);
}

const OURS: Record<string, OurShape> = {
  // These were made when the format was 1, and had no journal.
  "std": { device: "std", blockSize: 1024, blockCount: 300 },
  "crypt": { device: "crypt", blockSize: 1024, blockCount: 300 },
  "verity": { device: "verity", blockSize: 2048, blockCount: 64 },
  "vericrypt": { device: "vericrypt", blockSize: 1024, blockCount: 500 },
  // These are of format 2.
  "std-2": {
    device: "std",
    blockSize: 1024,
    blockCount: 300,
    isPending: true,
  },
  "crypt-2": { device: "crypt", blockSize: 2048, blockCount: 100 },
  "verity-2": {
    device: "verity",
    blockSize: 1024,
    blockCount: 300,
    isPending: true,
  },
  "vericrypt-2": {
    device: "vericrypt",
    blockSize: 1024,
    blockCount: 300,
    isPending: true,
    anchor: "none",
  },
};

const ORIGINALS: Record<string, OriginalShape> = {
  "bdcrypt-xts": { blockSize: 1024, blockCount: 33, cipher: "aes-256-xts" },
  "bdcrypt-cbc": { blockSize: 2048, blockCount: 21, cipher: "aes-256-cbc" },
  "bdverity": {
    blockSize: 1024,
    blockCount: 2203,
    key: MAC_PASSWORD,
    journal: true,
  },
  "bdverity-plain": {
    blockSize: 4096,
    blockCount: 29,
    key: null,
    algorithm: "sha1",
  },
  "bdvericrypt": {
    blockSize: 1024,
    blockCount: 35,
    cipher: "aes-256-xts",
    key: MAC_PASSWORD,
    rootFile: true,
  },
};

/** Makes an archive of what is in `dir`. */
async function pack(dir: string, name: string): Promise<FrozenVolume> {
  const archive = `${FOLDER}${name}.tar.gz`;
  await must(
    "sh",
    "-c",
    'tar -C "$0" --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 ' +
      '--numeric-owner -cf - $(ls "$0") | gzip -9n > "$1"',
    dir,
    archive,
  );
  return { name, sha256: sha256(await Deno.readFile(archive)) };
}

async function make(name: string): Promise<FrozenVolume> {
  return await withTempDir(async (dir) => {
    let device: string | undefined;
    if (name in OURS) await makeOurs(dir, OURS[name]);
    else if (name in ORIGINALS) {
      device = await makeOriginal(dir, ORIGINALS[name]);
    } else throw new RangeError(`'${name}' is not known here`);
    return { ...await pack(dir, name), device };
  });
}

const { positionals } = parseArgs({ args: Deno.args, allowPositionals: true });
const volumes = await frozenVolumes();
for (const name of positionals) {
  if (volumes.some((one) => one.name === name)) {
    throw new Error(`${name} was made already, and is frozen`);
  }
  volumes.push(await make(name));
}
volumes.sort((a, b) => a.name < b.name ? -1 : 1);
const text = JSON.stringify(volumes, null, 2);
await Deno.writeTextFile(`${FOLDER}volumes.json`, `${text}\n`);
