/**
 * `nextfs makefs`: an ext2 image from a directory or a tar stream.
 *
 * @module
 */

import type { CipherName } from "../bd/crypt.ts";
import { parseCipher } from "../bd/original/device_spec.ts";
import { parseUuid } from "../bd/uuid.ts";
import type { FormatOptions, Timestamp } from "../fs/mod.ts";
import {
  type Command,
  command,
  defaults,
  integer,
  option,
  setting,
  size,
  text,
  toggle,
  type Values,
} from "./cli.ts";
import {
  type Contents,
  explainFull,
  makeOfTree,
  NOTHING,
  planFor,
  type SizeSettings,
} from "./contents.ts";
import {
  encryptBlank,
  type Encryption,
  readEncryption,
} from "./encrypt_image.ts";
import { PathError, UsageError } from "./errors.ts";
import { isDirectory } from "./fill_from_tree.ts";
import { fillFromTar, measureTar } from "./fill_from_tar.ts";
import { type HostNode, walkHostTree } from "./host_tree.ts";
import { SizeEstimate } from "./image_size.ts";
import { checkImageTarget } from "./new_file.ts";
import { makeImage } from "./new_image.ts";
import { Progress } from "./progress.ts";
import { secretText } from "./secret.ts";
import { TarReader } from "./tar.ts";
import { TarError } from "./tar_header.ts";
import { STDIN, TarFile } from "./tar_file.ts";

/**
 * UUID and hash seed of reproducible images that are given none: random once,
 * the same ever since.
 */
const REPRODUCIBLE_UUID = "7a0e6b52-93c4-4d1f-8b67-5e2c1f40d9a3";

/** How images with a password are encrypted if nothing else is said. */
const CIPHER_DEFAULT: CipherName = "aes-256-xts";

function inodeSize(value: string): 128 | 256 {
  if (value === "128" || value === "256") return Number(value) as 128 | 256;
  throw new RangeError(`'${value}' is not an inode size: 128 or 256`);
}

/** Reads a size of blocks. */
export function blockSize(value: string): number {
  const bytes = size(value);
  if (bytes === 1024 || bytes === 2048 || bytes === 4096) return bytes;
  throw new RangeError(`'${value}' is not a block size: 1024, 2048 or 4096`);
}

function type(value: string): 2 {
  if (value === "2") return 2;
  throw new RangeError(`'${value}' is not supported: only 2, for ext2`);
}

/** Reads a label of a filesystem. */
export function label(value: string): string {
  if (new TextEncoder().encode(value).length <= 16) return value;
  throw new RangeError(`'${value}' is longer than 16 bytes`);
}

const flags = {
  size: option("SIZE", "Size of the image, as in 128M", size, "s"),
  "block-size": setting("BYTES", "Bytes of a block", blockSize, {
    short: "b",
    fallback: "4096",
  }),
  "inode-size": setting("BYTES", "Bytes of an inode", inodeSize, {
    short: "I",
    fallback: "256",
  }),
  inodes: option(
    "COUNT",
    "Number of inodes (default: from the size and what goes in)",
    integer(12, 2 ** 32 - 1),
    "N",
  ),
  reserved: setting(
    "PERCENT",
    "Blocks that only the superuser may take",
    integer(0, 50),
    { short: "m", fallback: "5" },
  ),
  label: option("LABEL", "Label, up to 16 bytes", label, "L"),
  uuid: option("UUID", "UUID (default: a random one)", parseUuid, "U"),
  type: setting("TYPE", "Version of the filesystem: 2 for ext2", type, {
    short: "t",
    fallback: "2",
  }),
  password: option(
    "SECRET",
    "Encrypt by this password: file:PATH, env:NAME or fd:N",
    secretText,
    "p",
  ),
  cipher: option(
    "CIPHER",
    `aes-256-cbc, or ${CIPHER_DEFAULT}, the default`,
    parseCipher,
    "c",
  ),
  tar: option("FILE", "Take the files from a tar archive; - is stdin", text),
  reproducible: toggle("Same input, same bytes"),
  force: toggle("Replace an image that exists"),
};

/** The values of the flags. */
export type MakefsSettings = Values<typeof flags> & {
  /** How the image is encrypted; the password has been read. */
  encryption?: Encryption;
};

/** The values of the flags if none is given. */
export function makefsDefaults(): MakefsSettings {
  return defaults(flags);
}

/** The command. */
export const makefs: Command = command({
  name: "makefs",
  summary: "Make an ext2 image from a directory or a tar archive",
  operands: "IMAGE [DIRECTORY]",
  least: 1,
  most: 2,
  flags,
  notes: [
    "Keeps modes, owners, times, hard links, symbolic links, device nodes and " +
    "holes; with --tar, extended attributes, too. Blocks of zeros become " +
    "holes.",
    "Without --size, the image is made as large as its files need and about " +
    "a tenth more. An archive from a pipe is then spooled to a file beside " +
    "the image first.",
    "With --reproducible, times of the volume are SOURCE_DATE_EPOCH (or 0), " +
    "UUID and hash seed are fixed, and access times are modification times.",
    "With --password, the image is encrypted as the original server's " +
    "bdcrypt is, all of it, and nothing else is ever on the disk.",
    "IMAGE appears only when it is complete. A file name of the host that is " +
    "not UTF-8 cannot be read from DIRECTORY; --tar takes any name.",
  ],
  example: "nextfs makefs -s 128M files.img ./files",
  async run(settings, [image, directory]): Promise<void> {
    if (settings.tar !== undefined && directory !== undefined) {
      throw new UsageError("--tar and DIRECTORY exclude each other");
    }
    if (settings.cipher !== undefined && settings.password === undefined) {
      throw new UsageError("--cipher needs a password: -p SECRET");
    }
    if (settings.password !== undefined) refuseSpool(settings);
    checkImageTarget(image, settings.force);
    const encryption = encryptionOf(settings);
    try {
      await makeFrom(image, { ...settings, encryption }, directory);
    } finally {
      encryption?.key.fill(0);
    }
  },
});

/** The plaintext of an encrypted image must not get to the disk. */
function refuseSpool({ tar, size }: MakefsSettings): void {
  if (tar !== "-" || size !== undefined) return;
  throw new UsageError(
    "To find the size of the image, an archive from a pipe would be stored " +
      "unencrypted: give --size",
  );
}

function encryptionOf(settings: MakefsSettings): Encryption | undefined {
  const { password, cipher = CIPHER_DEFAULT } = settings;
  if (password === undefined) return undefined;
  return readEncryption(
    password,
    cipher,
    (message) => console.error(`nextfs makefs: ${message}`),
  );
}

async function makeFrom(
  image: string,
  settings: MakefsSettings,
  directory: string | undefined,
): Promise<void> {
  if (settings.tar !== undefined) {
    try {
      await makeFromTar(image, settings, settings.tar);
    } catch (error) {
      const name = settings.tar === "-" ? "standard input" : settings.tar;
      throw error instanceof TarError ? new PathError(name, error) : error;
    }
  } else if (directory !== undefined) {
    const root = walkHostTree(directory, { follow: true });
    if (!isDirectory(root)) throw new PathError(directory, "Not a directory");
    await makeFromTree(image, settings, root);
  } else {
    await makeEmpty(image, settings);
  }
}

async function makeEmpty(
  image: string,
  settings: MakefsSettings,
): Promise<void> {
  if (settings.size === undefined) {
    throw new UsageError("An empty image needs a size: --size 128M");
  }
  await make(image, settings, NOTHING);
}

/** Makes an image of a tree of the host that has been walked. */
export async function makeFromTree(
  image: string,
  settings: MakefsSettings,
  root: HostNode,
): Promise<void> {
  const { reproducible } = settings;
  const options = { ...sizeSettings(settings), reproducible };
  await makeOfTree(
    root,
    options,
    (contents) => make(image, settings, contents),
  );
}

function sizeSettings(settings: MakefsSettings): SizeSettings {
  return { blockSize: settings["block-size"], size: settings.size };
}

async function makeFromTar(
  image: string,
  settings: MakefsSettings,
  archive: string,
): Promise<void> {
  const fromPipe = archive === "-";
  if (fromPipe && settings.size !== undefined) {
    await make(image, settings, { bytes: 0, fill: tarFill(settings, STDIN) });
    return;
  }
  using file = fromPipe ? TarFile.spool(STDIN, image) : TarFile.open(archive);
  const estimate = new SizeEstimate(settings["block-size"]);
  const bytes = measureTar(new TarReader(file), estimate);
  file.rewind();
  await make(image, settings, {
    bytes,
    fill: tarFill(settings, file),
    estimate,
  });
}

function tarFill(
  settings: MakefsSettings,
  source: TarFile | typeof STDIN,
): Contents["fill"] {
  return (volume, progress) =>
    fillFromTar(volume, new TarReader(source), {
      progress,
      reproducible: settings.reproducible,
      now: stamp(settings) ?? { sec: Math.floor(Date.now() / 1000), nsec: 0 },
    });
}

async function make(
  image: string,
  settings: MakefsSettings,
  contents: Contents,
): Promise<void> {
  const blockSize = settings["block-size"];
  const options = formatOptions(settings);
  const plan = planFor(contents, sizeSettings(settings), options);
  // From here to the end, a signal leaves nothing behind.
  const { encryption } = settings;
  const zeros = encryption ? plan.blockCount * blockSize : 0;
  using progress = new Progress(contents.bytes + zeros);
  try {
    await makeImage(
      {
        ...options,
        ...plan,
        path: image,
        force: settings.force,
        blockSize,
        layer: encryption &&
          ((stored) => encryptBlank(stored, encryption, progress)),
      },
      (volume) => contents.fill(volume, progress),
      () => progress.rest(),
    );
  } catch (error) {
    throw explainFull(error, image, sizeSettings(settings));
  }
}

function formatOptions(settings: MakefsSettings): FormatOptions {
  const { reproducible } = settings;
  const fixed = reproducible ? parseUuid(REPRODUCIBLE_UUID) : undefined;
  return {
    inodeSize: settings["inode-size"],
    inodeCount: settings.inodes,
    reservedPercent: settings.reserved,
    label: settings.label,
    uuid: settings.uuid ?? fixed,
    hashSeed: fixed,
    now: stamp(settings),
  };
}

/** The time of everything that is not given one by the files. */
function stamp(settings: MakefsSettings): Timestamp | undefined {
  if (!settings.reproducible) return undefined;
  const epoch = Deno.env.get("SOURCE_DATE_EPOCH") ?? "0";
  if (!/^\d{1,10}$/.test(epoch)) {
    throw new UsageError(`SOURCE_DATE_EPOCH: '${epoch}' is not a time`);
  }
  return { sec: Number(epoch), nsec: 0 };
}
