/**
 * `nextfs dump`: the plaintext of a volume, verified, as an image that
 * e2fsck and debugfs can look at.
 *
 * @module
 */

import { statSync } from "node:fs";
import { dirname } from "node:path";
import { BadRanges, type BadRangesReport } from "../bd/bad_ranges.ts";
import {
  type BlockDevice,
  DeviceError,
  IntegrityError,
  type OverlayDevice,
} from "../bd/mod.ts";
import { journalPath } from "../bd/original/image_journal.ts";
import { sparseCopy } from "../bd/sparse_copy.ts";
import { FsError, settledView } from "../fs/mod.ts";
import { badBlockLines, ownerText, searchOwners } from "./block_owners.ts";
import { type Command, command, toggle } from "./cli.ts";
import { BadBlocksError, PathError, UsageError } from "./errors.ts";
import { checkImageTarget, makeFile } from "./new_file.ts";
import {
  DEVICE_FLAGS,
  DEVICE_NOTES,
  type DeviceValues,
  openDevice,
  type OpenedDevice,
} from "./open_device.ts";
import { Progress } from "./progress.ts";

const flags = {
  ...DEVICE_FLAGS,
  force: toggle("Replace a file that exists"),
  "skip-bad": toggle("Go on past bad blocks, and leave zeros in their place"),
};

/** The command. */
export const dump: Command = command({
  name: "dump",
  summary: "Write the plaintext of a volume or an image to a file",
  operands: "VOLUME|IMAGE PLAIN.img",
  least: 2,
  most: 2,
  flags,
  notes: [
    "What is written is verified, if there is a hash tree. A block that does " +
    "not verify ends it, and no file is left; with --skip-bad it goes on, and " +
    "the exit code is 13 all the same. Blocks of zeros become holes.",
    "Files that were removed while they were open, which a crash leaves for " +
    "the next server to free, are freed in the copy. PLAIN.img is plaintext: " +
    "it is made for its owner alone, and appears only when it is complete.",
    ...DEVICE_NOTES,
  ],
  example: "nextfs dump --keyfile vault.key vault plain.img",
  async run(values, [path, target]): Promise<void> {
    if (target === "-") {
      throw new UsageError("dump makes a file with holes: give its name");
    }
    checkImageTarget(target, values.force);
    checkApart(target, path, values);
    const opened = await openDevice(path, values, { readOnly: true, warn });
    try {
      await dumpDevice(path, target, { ...values, opened });
    } finally {
      opened.device.close();
    }
  },
});

/**
 * Throws {@link UsageError} if to write `target` is to overwrite what is being
 * read: a file of the volume, or what opens it.
 */
function checkApart(target: string, path: string, values: DeviceValues): void {
  const others = [
    values.keyfile,
    values.passfile,
    values["root-file"],
    values.anchor,
    journalPath(path),
  ];
  const isOther = [path, ...others].some((other) =>
    other !== undefined && isSame(target, other)
  );
  if (!isOther && !isSame(dirname(target), path)) return;
  throw new UsageError(
    `${target} would replace a part of what is read: choose another file`,
  );
}

/** Whether two paths lead to the same file or directory. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [one, other].map((path) =>
    statSync(path, { throwIfNoEntry: false })
  );
  return a !== undefined && a.ino === b?.ino && a.dev === b.dev;
}

interface DumpOptions {
  readonly opened: OpenedDevice;
  readonly force: boolean;
  readonly "skip-bad": boolean;
}

/** A block that ends the dump. */
class BadBlock extends Error {
  constructor(readonly block: number, override readonly cause: DeviceError) {
    super(cause.message);
  }
}

async function dumpDevice(
  path: string,
  target: string,
  options: DumpOptions,
): Promise<void> {
  const { opened: { device } } = options;
  const { blockCount, blockSize } = device;
  const size = blockCount * blockSize;
  using progress = new Progress(size, "dump");
  const bad = new BadRanges();
  try {
    const overlay = await settle(path, options);
    const { force } = options;
    await makeFile(
      target,
      { size, force, mode: 0o600, isImage: true },
      async (file) => {
        await sparseCopy(overlay ?? device, file, {
          verity: options.opened.verity,
          overlay,
          bad: ({ first, count }, error) => {
            if (!options["skip-bad"]) throw new BadBlock(first, error);
            bad.note(first, count);
          },
          progress: ({ copied, skipped }) => {
            progress.skip(skipped * blockSize);
            return progress.add(copied * blockSize)
              ? progress.rest()
              : undefined;
          },
        });
        await file.sync();
        await progress.rest();
      },
    );
  } catch (error) {
    if (!(error instanceof BadBlock)) throw error;
    throw await badBlockError(path, error, { device, progress });
  }
  await reportBad(bad.finish(), { device, progress });
}

/**
 * The volume with its orphans freed, in memory; null if there are none. Where
 * that cannot be done, the volume is copied as it is.
 */
async function settle(
  path: string,
  { opened }: DumpOptions,
): Promise<OverlayDevice | null> {
  try {
    return await settledView(opened.device);
  } catch (error) {
    if (!(error instanceof DeviceError || error instanceof FsError)) {
      throw error;
    }
    warn(`${path}: copied as it is: ${error.message}`);
    return null;
  }
}

interface SearchOptions {
  readonly device: BlockDevice;
  readonly progress: Progress;
}

/** Why the dump of `path` ended, and what the block belongs to. */
async function badBlockError(
  path: string,
  { block, cause }: BadBlock,
  { device, progress }: SearchOptions,
): Promise<PathError> {
  const ranges = [{ first: block, count: 1 }];
  const { owners, problem } = await searchOwners(device, ranges, progress);
  const owner = owners
    ? `block ${block} is ${ownerText(owners.blocks[0].owner)}`
    : `what block ${block} belongs to cannot be told (${problem})`;
  const advice = "--skip-bad leaves zeros in its place";
  const reason = `${cause.message}; ${owner} (${advice})`;
  return new PathError(path, new IntegrityError(block, reason));
}

/** Reports bad blocks, and throws {@link BadBlocksError} if there are any. */
async function reportBad(
  bad: BadRangesReport,
  { device, progress }: SearchOptions,
): Promise<void> {
  if (bad.count === 0) return;
  const ownership = await searchOwners(device, bad.ranges, progress);
  for (const line of badBlockLines(bad, ownership)) progress.warn(line);
  progress.warn(`${bad.count} blocks are bad, and of zeros in the copy`);
  throw new BadBlocksError();
}

function warn(message: string): void {
  console.error(`nextfs dump: ${message}`);
}
