/**
 * Bad blocks and what they belong to, for people and for programs.
 *
 * @module
 */

import type { LeafRange } from "../bd/tree_errors.ts";
import type { BlockDevice } from "../bd/mod.ts";
import {
  type BlockOwner,
  type BlockOwners,
  type BlockRun,
  findBlockOwners,
  type InodeOwner,
  type StructureOwner,
} from "../fs/mod.ts";
import { errorText } from "./errors.ts";
import { printable } from "./names.ts";
import type { Progress } from "./progress.ts";
import { nameFields } from "./remote_json.ts";

/** Lines of bad blocks that are printed; behind them, only their number. */
const LINES_MAX = 1000;

/** The inodes of the format that have blocks (`ext2_fs.h`). */
const OWN_INODES: Readonly<Record<number, string>> = {
  7: "the inode of reserved descriptors",
  8: "the journal",
};

/** The outcome of a search, or why there is none. */
export type Ownership =
  | { owners: BlockOwners; problem: null }
  | { owners: null; problem: string };

/** Finds what the `bad` blocks of the volume on `device` belong to. */
export async function searchOwners(
  device: BlockDevice,
  bad: readonly LeafRange[],
  progress: Progress,
): Promise<Ownership> {
  const steps = findBlockOwners(device, bad.map(toRun));
  for (;;) {
    let step: IteratorResult<void, BlockOwners>;
    try {
      step = steps.next();
    } catch (error) {
      return { owners: null, problem: errorText(error) };
    }
    if (step.done) return { owners: step.value, problem: null };
    if (progress.add(0)) await progress.rest();
  }
}

const toRun = ({ first, count }: LeafRange): BlockRun => ({
  start: first,
  count,
});

/** Bad blocks that were found. */
export interface BadBlocks {
  /** Where they are. */
  readonly ranges: readonly LeafRange[];
  /** How many; there may be more than in the ranges. */
  readonly count: number;
}

/** A line for each bad range, and what else there is to say of them. */
export function* badBlockLines(
  { ranges, count }: BadBlocks,
  { owners, problem }: Ownership,
): Generator<string> {
  const lines: (BlockRun & { owner?: BlockOwner })[] = owners?.blocks ??
    ranges.map(toRun);
  let told = 0;
  for (const line of lines.slice(0, LINES_MAX)) {
    yield blocksText(line) + (line.owner ? `: ${ownerText(line.owner)}` : "");
    told += line.count;
  }
  if (told < count) yield `and ${count - told} more blocks`;
  if (problem !== null) yield `What they belong to cannot be told: ${problem}`;
  const lost = owners?.unreadableCount ?? 0;
  if (lost > 0) {
    const places = lost === 1 ? "1 place" : `${lost} places`;
    yield "Files may be missing here: " +
      `${places} of the filesystem cannot be read`;
  }
}

/** `block 7`, or `blocks 7 to 9`. */
export function blocksText({ start, count }: BlockRun): string {
  return count === 1
    ? `block ${start}`
    : `blocks ${start} to ${start + count - 1}`;
}

/** What a block belongs to, as in `data of /docs/a.txt`. */
export function ownerText(owner: BlockOwner): string {
  switch (owner.kind) {
    case "free":
      return "not in use";
    case "boot block":
      return "boot block, not in use";
    case "outside":
      return "behind the end of the filesystem";
    case "unknown":
      return "unknown";
    case "superblock":
    case "group descriptors":
      return copyText(owner);
    case "reserved group descriptors":
    case "block bitmap":
    case "inode bitmap":
      return `${owner.kind} of group ${owner.group}`;
    case "inode table":
      return `inode table of group ${owner.group} ` +
        `(inodes ${owner.firstInode} to ${owner.lastInode})`;
    case "directory":
      return owner.path === null
        ? `names in a directory: ${inodeText(owner)}`
        : `directory ${inodeText(owner)}`;
    default:
      return `${owner.kind} of ${inodeText(owner)}`;
  }
}

function copyText({ kind, group }: StructureOwner): string {
  return group === 0 ? kind : `${kind}, copy in group ${group}`;
}

function inodeText({ ino, path, names }: InodeOwner): string {
  if (path !== null) {
    return printable(path) + (names > 1 ? ` (${names} names)` : "");
  }
  const own = OWN_INODES[ino];
  if (own !== undefined) return `${own} (inode ${ino})`;
  return names === 0
    ? `a removed file (inode ${ino})`
    : `inode ${ino}, of which no path was found`;
}

/** What a block belongs to, for JSON. */
export function ownerFields(owner: BlockOwner): Record<string, unknown> {
  if (!("ino" in owner)) return { ...owner };
  const { path, ...fields } = owner;
  return { ...fields, ...(path ? nameFields("path", path) : { path: null }) };
}
