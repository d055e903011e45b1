/**
 * Volumes and images that were made once and never change: each of them opens,
 * holds what was put into it, and can be changed and verified again.
 */

import assert from "node:assert/strict";
import type { BlockDevice } from "../bd/block_device.ts";
import { MemoryDevice } from "../bd/memory.ts";
import {
  Filesystem,
  FsError,
  Paths,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "../fs/mod.ts";
import {
  digests,
  FROZEN_KEY,
  FROZEN_PASSPHRASE,
  type FrozenVolume,
  frozenVolumes,
  openFrozen,
  type OpenFrozenOptions,
  readArchive,
  sha256,
  unpack,
} from "./support/frozen.ts";
import { assertDeviceClean } from "./support/images.ts";
import { testWith, withTempDir } from "./support/tools.ts";
import { readVolume } from "./support/volume_reader.ts";

/** A file of every frozen volume. */
interface FrozenFile {
  mode: number;
  /** Number of names; 1 if absent. */
  nlink?: number;
  /** The superuser if absent, and his group. */
  uid?: number;
  gid?: number;
  /** Of regular files, with their holes. */
  size?: number;
  /** SHA-256 of the contents. */
  sha256?: string;
  target?: string;
  /** Names and values, in hexadecimal. */
  xattrs?: Record<string, string>;
}

const TIME = { sec: 1_000_000_000, nsec: 123_456_789 };
const NOTHING =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const HELLO: FrozenFile = {
  mode: S_IFREG | 0o644,
  nlink: 2,
  size: 21,
  sha256: "1c2d26ec068c2fd0b0227f46618c9a09612ee2b28aa0b249eb31f3226adb3bad",
};

const FILES: Record<string, FrozenFile> = {
  "lost+found": { mode: S_IFDIR | 0o700, nlink: 2 },
  "hello": HELLO,
  "hello again": HELLO,
  "dir": { mode: S_IFDIR | 0o750, nlink: 2 },
  "dir/large": {
    mode: S_IFREG | 0o600,
    uid: 1000,
    gid: 100_000,
    size: 21_500,
    sha256: "834657364b3515092cc4b924523836b2efc1977dd6473710cd44a97631fb21b4",
  },
  "dir/long link": { mode: S_IFLNK | 0o777, target: "x".repeat(100) },
  "link": { mode: S_IFLNK | 0o777, target: "dir/large" },
  "fifo": { mode: S_IFIFO | 0o622 },
  "Ünïcödé": {
    mode: S_IFREG | 0o644,
    size: 0,
    sha256: NOTHING,
    xattrs: {
      "user.name":
        "030e19242f3a45505b66717c87929da8b3bec9d4dfeaf5030e19242f3a45505b66717c87929da8b3bec9d4dfeaf5030e1924",
      "trusted.empty": "",
    },
  },
};

/** What is there about `path` in the form of {@link FILES}. */
function describe(paths: Paths, path: string): FrozenFile {
  const ino = paths.resolve(path, { follow: false });
  const { fs } = paths;
  const { mode, nlink, uid, gid, size, mtime, atime } = fs.getattr(ino);
  const found: FrozenFile = { mode };
  if (nlink !== 1) found.nlink = nlink;
  if (uid !== 0) found.uid = uid;
  if (gid !== 0) found.gid = gid;
  const kind = mode & S_IFMT;
  if (kind === S_IFREG) {
    found.size = size;
    found.sha256 = sha256(paths.readFile(path));
  }
  if (kind === S_IFLNK) {
    found.target = new TextDecoder().decode(fs.readlink(ino));
  } else assert.deepEqual([mtime, atime], [TIME, TIME], path);
  for (const name of fs.listxattr(ino)) {
    found.xattrs ??= {};
    found.xattrs[new TextDecoder().decode(name)] = fs.getxattr(ino, name)
      .toHex();
  }
  return found;
}

/** Asserts that the files are there, and `others` in the root directory. */
function checkFiles(fs: Filesystem, others: string[] = []): void {
  const paths = new Paths(fs);
  const names: string[] = [];
  for (const dir of ["", "dir/"]) {
    for (const { name } of paths.readDir(dir || "/")) {
      const text = new TextDecoder().decode(name);
      if (text !== "." && text !== "..") names.push(dir + text);
    }
  }
  assert.deepEqual(names.sort(), [...Object.keys(FILES), ...others].sort());
  for (const [path, expected] of Object.entries(FILES)) {
    assert.deepEqual(describe(paths, path), expected, path);
  }
}

/** Calls `visit` with a filesystem on a frozen volume. */
async function withFrozen(
  { volume, dir }: { volume: FrozenVolume; dir: string },
  options: OpenFrozenOptions,
  visit: (fs: Filesystem) => void,
): Promise<void> {
  const device = await openFrozen(volume, dir, options);
  const { readOnly } = options;
  const fs = Filesystem.open(device, { readOnly, atime: "noatime" });
  try {
    assert.deepEqual(fs.warnings, []);
    assert.equal(fs.readOnly, readOnly);
    visit(fs);
  } finally {
    await fs.close();
  }
}

/** All plaintext, read block by block: a device of verified blocks. */
function copyOf(device: BlockDevice): MemoryDevice {
  const { blockSize, blockCount } = device;
  const copy = new MemoryDevice(blockSize, blockCount);
  const block = new Uint8Array(blockSize);
  for (let i = 0; i < blockCount; i++) {
    device.read(i, block);
    copy.write(i, block);
  }
  return copy;
}

const volumes = await frozenVolumes();

Deno.test("there is a frozen volume of every kind", async () => {
  const kinds = volumes.map(({ name }) => name);
  assert.deepEqual(kinds, [
    "bdcrypt-cbc",
    "bdcrypt-xts",
    "bdvericrypt",
    "bdverity",
    "bdverity-plain",
    "crypt",
    "crypt-2",
    "std",
    "std-2",
    "vericrypt",
    "vericrypt-2",
    "verity",
    "verity-2",
  ]);
  for (const volume of volumes) {
    assert.equal(sha256(await readArchive(volume)), volume.sha256, volume.name);
  }
});

for (const volume of volumes) {
  const { name, device } = volume;
  const isOurs = device === undefined;

  Deno.test(`frozen ${name} holds what was put into it`, () =>
    withTempDir(async (dir) => {
      await unpack(volume, dir);
      const before = await digests(dir);
      for (const byPassphrase of isOurs ? [false, true] : [false]) {
        const options = { readOnly: true, byPassphrase };
        await withFrozen({ volume, dir }, options, (fs) => {
          checkFiles(fs);
          assert.throws(() => new Paths(fs).mkdir("new"), FsError);
        });
      }
      assert.deepEqual(await digests(dir), before);
    }));

  Deno.test(`a copy of frozen ${name} is changed, and verifies again`, () =>
    withTempDir(async (dir) => {
      await unpack(volume, dir);
      const contents = new Uint8Array(2500).fill(0xa5);
      for (const byPassphrase of [false, true]) {
        const options = { readOnly: false, byPassphrase };
        const file = `new ${byPassphrase}`;
        await withFrozen({ volume, dir }, options, (fs) => {
          const paths = new Paths(fs);
          paths.writeFile(file, contents);
          if (byPassphrase) paths.remove("new false");
        });
        await withFrozen(
          { volume, dir },
          { ...options, readOnly: true },
          (fs) => {
            checkFiles(fs, [file]);
            assert.deepEqual(new Paths(fs).readFile(file), contents);
          },
        );
      }
      const opened = await openFrozen(volume, dir, { readOnly: true });
      const copy = copyOf(opened);
      opened.close();
      await assertDeviceClean(copy);
    }));

  if (!isOurs) continue;

  await testWith(
    ["python3"],
    `frozen ${name} verifies by the reader in Python`,
    () =>
      withTempDir(async (dir) => {
        await unpack(volume, dir);
        await Deno.writeFile(`${dir}/key`, FROZEN_KEY);
        await Deno.writeTextFile(`${dir}/pass`, FROZEN_PASSPHRASE);
        const opened = await openFrozen(volume, dir, { readOnly: true });
        const { blockSize, blockCount } = opened;
        const bytes = new Uint8Array(blockSize * blockCount);
        opened.read(0, bytes);
        opened.close();
        for (
          const secret of [
            { keyfile: `${dir}/key` },
            { passfile: `${dir}/pass` },
          ]
        ) {
          const reading = await readVolume(`${dir}/volume`, secret);
          assert.equal(reading.plaintext, sha256(bytes));
          // What was committed last was left in the journal.
          const hasRecords = (reading.records ?? 0) > 1;
          assert.equal(hasRecords, name.endsWith("-2"));
        }
      }),
  );
}
