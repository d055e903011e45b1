/**
 * `nextfs verify`: everything on a volume against its hash tree.
 *
 * @module
 */

import type { BlockDevice } from "../bd/mod.ts";
import { scrub, type ScrubReport } from "../bd/scrub.ts";
import type { VerityDevice } from "../bd/verity.ts";
import {
  badBlockLines,
  ownerFields,
  type Ownership,
  searchOwners,
} from "./block_owners.ts";
import { type Command, command, toggle } from "./cli.ts";
import { BadBlocksError, UsageError } from "./errors.ts";
import { DEVICE_FLAGS, DEVICE_NOTES, openDevice } from "./open_device.ts";
import { Output } from "./output.ts";
import { Progress } from "./progress.ts";
import { nameFields } from "./remote_json.ts";

const flags = {
  ...DEVICE_FLAGS,
  json: toggle("JSON: one object with all that was found"),
};

/** The command. */
export const verify: Command = command({
  name: "verify",
  summary: "Check every block of a volume or an image against its hash tree",
  operands: "VOLUME|IMAGE",
  least: 1,
  most: 1,
  flags,
  notes: [
    "Reads all that was ever written, and names the blocks that are not what " +
    "was written there, with the files they belong to. The exit code is 13 " +
    "if there are any. Nothing is changed; a volume that is being served for " +
    "writing is in use.",
    ...DEVICE_NOTES,
  ],
  example: "nextfs verify --keyfile vault.key vault",
  async run(values, [path]): Promise<void> {
    const { device, verity } = await openDevice(path, values, {
      readOnly: true,
      warn: (line) => console.error(`nextfs verify: ${line}`),
    });
    try {
      if (!verity) throw noTree(path);
      const findings = await examine(verity, device);
      const output = new Output();
      if (values.json) output.json(findingsJson(findings, verity));
      else for (const line of findingsText(findings, verity)) output.line(line);
      output.flush();
      if (findings.report.bad.count > 0) throw new BadBlocksError();
    } finally {
      device.close();
    }
  },
});

function noTree(path: string): UsageError {
  return new UsageError(
    `${path} has no hash tree to verify it against: its device is bd-std or ` +
      "bd-crypt ('nextfs fsck' checks the structure of the filesystem on it)",
  );
}

/** What the command has found out. */
interface Findings {
  readonly report: ScrubReport;
  /** What the bad blocks belong to; null if there are none. */
  readonly ownership: Ownership | null;
}

async function examine(
  verity: VerityDevice,
  device: BlockDevice,
): Promise<Findings> {
  const { blockCount, blockSize } = verity;
  using progress = new Progress(blockCount * blockSize);
  const report = await scrub(verity, {
    progress: ({ checked, skipped }) => {
      progress.skip(skipped * blockSize);
      return progress.add(checked * blockSize) ? progress.rest() : undefined;
    },
  });
  const { ranges } = report.bad;
  const ownership = ranges.length > 0
    ? await searchOwners(device, ranges, progress)
    : null;
  return { report, ownership };
}

function* findingsText(
  { report: { bad, checked }, ownership }: Findings,
  { blockCount }: VerityDevice,
): Generator<string> {
  if (ownership) yield* badBlockLines(bad, ownership);
  yield `${bad.count} of ${blockCount} blocks are bad` +
    (checked < blockCount - bad.count
      ? ` (${checked} were read, others were never written)`
      : "");
}

function findingsJson(
  { report, ownership }: Findings,
  { algorithm, blockCount, blockSize }: VerityDevice,
): unknown {
  const owners = ownership?.owners;
  return {
    blockSize,
    blocks: blockCount,
    algorithm,
    checked: report.checked,
    bad: report.bad.count,
    ranges: owners
      ? owners.blocks.map(({ start, count, owner }) => ({
        first: start,
        count,
        owner: ownerFields(owner),
      }))
      : report.bad.ranges.map((range) => ({ ...range, owner: null })),
    ownersProblem: ownership?.problem ?? null,
    unreadable: (owners?.unreadable ?? []).map(({ path, ino, reason }) => ({
      ...(path ? nameFields("path", path) : { path: null }),
      ino,
      reason,
    })),
    unreadableCount: owners?.unreadableCount ?? 0,
  };
}
