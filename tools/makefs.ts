/**
 * `nextfs makefs`: an ext2 image from a directory or a tar stream.
 *
 * @module
 */

import {
  type Filesystem,
  type FormatOptions,
  FsError,
  type Timestamp,
} from "../fs/mod.ts";
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
import { PathError, UsageError } from "./errors.ts";
import {
  contentBytes,
  fillFromTree,
  isDirectory,
  measureTree,
} from "./fill_from_tree.ts";
import { fillFromTar, measureTar } from "./fill_from_tar.ts";
import { type HostNode, walkHostTree } from "./host_tree.ts";
import { planVolume, SizeEstimate } from "./image_size.ts";
import { checkTarget, makeImage } from "./new_image.ts";
import { FullError } from "./full_error.ts";
import { Progress } from "./progress.ts";
import { TarReader } from "./tar.ts";
import { TarError } from "./tar_header.ts";
import { STDIN, TarFile } from "./tar_file.ts";
import { parseUuid } from "./uuid.ts";

/**
 * UUID and hash seed of reproducible images that are given none: random once,
 * the same ever since.
 */
const REPRODUCIBLE_UUID = "7a0e6b52-93c4-4d1f-8b67-5e2c1f40d9a3";

function inodeSize(value: string): 128 | 256 {
  if (value === "128" || value === "256") return Number(value) as 128 | 256;
  throw new RangeError(`'${value}' is not an inode size: 128 or 256`);
}

function blockSize(value: string): number {
  const bytes = size(value);
  if (bytes === 1024 || bytes === 2048 || bytes === 4096) return bytes;
  throw new RangeError(`'${value}' is not a block size: 1024, 2048 or 4096`);
}

function type(value: string): 2 {
  if (value === "2") return 2;
  throw new RangeError(`'${value}' is not supported: only 2, for ext2`);
}

function label(value: string): string {
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
  tar: option("FILE", "Take the files from a tar archive; - is stdin", text),
  reproducible: toggle("Same input, same bytes"),
  force: toggle("Replace an image that exists"),
};

/** The values of the flags. */
export type MakefsSettings = Values<typeof flags>;

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
    "IMAGE appears only when it is complete. A file name of the host that is " +
    "not UTF-8 cannot be read from DIRECTORY; --tar takes any name.",
  ],
  example: "nextfs makefs -s 128M files.img ./files",
  async run(settings, [image, directory]): Promise<void> {
    if (settings.tar !== undefined && directory !== undefined) {
      throw new UsageError("--tar and DIRECTORY exclude each other");
    }
    checkTarget(image, settings.force);
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
  },
});

async function makeEmpty(
  image: string,
  settings: MakefsSettings,
): Promise<void> {
  if (settings.size === undefined) {
    throw new UsageError("An empty image needs a size: --size 128M");
  }
  await make(image, settings, { bytes: 0, fill: () => Promise.resolve() });
}

/** Makes an image of a tree of the host that has been walked. */
export async function makeFromTree(
  image: string,
  settings: MakefsSettings,
  root: HostNode,
): Promise<void> {
  const { reproducible } = settings;
  const fill: Fill = (volume, progress) =>
    fillFromTree(volume, root, { progress, reproducible });
  const bytes = contentBytes(root);
  const estimate = estimateTree(root, settings, { logical: false });
  try {
    await make(image, settings, { bytes, fill, estimate });
  } catch (error) {
    const full = error instanceof PathError && error.cause instanceof FullError;
    if (settings.size !== undefined || !full) throw error;
    // A host that compresses stores fewer blocks than its files have.
    const estimate = estimateTree(root, settings, { logical: true });
    await make(image, settings, { bytes, fill, estimate });
  }
}

function estimateTree(
  root: HostNode,
  settings: MakefsSettings,
  options: { logical: boolean },
): SizeEstimate {
  const estimate = new SizeEstimate(settings["block-size"]);
  measureTree(root, estimate, options);
  return estimate;
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
): Fill {
  return (volume, progress) =>
    fillFromTar(volume, new TarReader(source), {
      progress,
      reproducible: settings.reproducible,
      now: stamp(settings) ?? { sec: Math.floor(Date.now() / 1000), nsec: 0 },
    });
}

/** Puts files into a new volume. */
type Fill = (volume: Filesystem, progress: Progress) => Promise<void>;

async function make(
  image: string,
  settings: MakefsSettings,
  { bytes, fill, estimate }: {
    bytes: number;
    fill: Fill;
    estimate?: SizeEstimate;
  },
): Promise<void> {
  const size = settings["block-size"];
  const options = formatOptions(settings);
  const plan = settings.size === undefined
    ? planVolume(estimate!, size, options)
    : {
      blockCount: Math.floor(settings.size / size),
      inodeCount: settings.inodes ?? inodesFor(settings.size, estimate),
    };
  // From here to the end, a signal leaves nothing behind.
  using progress = new Progress(bytes);
  try {
    await makeImage(
      {
        ...options,
        ...plan,
        path: image,
        force: settings.force,
        blockSize: size,
      },
      (volume) => fill(volume, progress),
      () => progress.rest(),
    );
  } catch (error) {
    if (error instanceof FullError) throw new PathError(image, error);
    const full = error instanceof FsError && error.code === "ENOSPC";
    if (!full || settings.size === undefined) throw error;
    throw new PathError(
      image,
      "No space left on device: give a larger --size, or none",
    );
  }
}

/** More inodes than the format gives by default, if the files need them. */
function inodesFor(size: number, estimate?: SizeEstimate): number | undefined {
  const needed = Math.ceil((estimate?.inodes ?? 0) * 1.05) + 16;
  return needed > size / 16384 ? needed : undefined;
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
