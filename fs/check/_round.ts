/**
 * One round of the check: all passes over the volume, one after the other.
 *
 * Each pass counts on what those before it have put in order; in a trial too,
 * since what it changes is read back from memory.
 *
 * @module
 */

import type { Timestamp } from "../attributes.ts";
import { STATE_ERROR, STATE_VALID, SUPERBLOCK } from "../superblock.ts";
import { checkBitmaps, type Totals } from "./_bitmaps.ts";
import { Check, type CheckParts } from "./_check.ts";
import { connectDirectories, restoreRoot } from "./_connectivity.ts";
import { checkDirectories } from "./_directories.ts";
import { separateBlocks } from "./_duplicates.ts";
import { Findings, type ProblemPlace } from "./_findings.ts";
import { checkGroups } from "./_groups.ts";
import { checkInodes } from "./_inodes.ts";
import { checkLinks } from "./_links.ts";
import { LostAndFound } from "./_lost_and_found.ts";
import { settleOrphans } from "./_orphans.ts";
import { PathFinder } from "./_paths.ts";
import { checkResizeInode } from "./_resize_inode.ts";
import type { BlockStore } from "./_store.ts";
import { openSuperblock } from "./_superblock.ts";
import { checkJournal, checkSuperblockFields } from "./_superblock_fields.ts";
import type { ProblemCode } from "./problems.ts";
import type { CheckCounts } from "./report.ts";

/** Times that a round may start anew with another geometry. */
const ATTEMPTS_MAX = 4;

/** How a round is run. */
export interface RoundOptions {
  /** True if nothing will be written. */
  readonly isTrial: boolean;
  /** True for the round that finds the volume as others left it. */
  readonly isFirst: boolean;
  /** The clock. */
  readonly now: () => Timestamp;
}

/** A problem, and the path of its inode. */
export interface RoundProblem {
  readonly code: ProblemCode;
  readonly message: string;
  readonly place: ProblemPlace;
  readonly path: Uint8Array | undefined;
}

/** What a round has found. */
export interface RoundResult {
  readonly findings: Findings;
  readonly problems: RoundProblem[];
  readonly counts: CheckCounts;
  /** Whether a repair has found no free block, or no free inode. */
  readonly lacksSpace: boolean;
}

/**
 * Runs a round in small steps. Between two of them what was changed may be
 * committed: the volume is no worse than before then.
 */
export function* runRound(
  store: BlockStore,
  options: RoundOptions,
): Generator<void, RoundResult> {
  const findings = new Findings();
  const result = yield* passes(store, findings, options, false);
  if (result !== null) return result;
  findings.forgetLost();
  return (yield* passes(store, findings, options, true))!;
}

/** All passes; null if they have to start anew, and be thorough. */
function* passes(
  store: BlockStore,
  findings: Findings,
  options: RoundOptions,
  isThorough: boolean,
): Generator<void, RoundResult | null> {
  const check = yield* open(store, { findings, ...options, isThorough });
  if (options.isFirst && !isThorough) checkState(check);
  checkSuperblockFields(check);
  checkJournal(check);
  yield* settleOrphans(check);
  yield* checkInodes(check);
  if (check.isDoubtful) return null;
  yield* separateBlocks(check);
  restoreRoot(check);
  const paths = new PathFinder();
  want(paths, findings);
  yield* checkDirectories(check, paths);
  if (check.isDoubtful) return null;
  const lost = new LostAndFound(check);
  yield* connectDirectories(check, lost);
  yield* checkLinks(check, lost);
  const totals = yield* checkBitmaps(check);
  want(paths, findings);
  yield* paths.search(check);
  const problems = findings.list.map(({ code, message, place }) => ({
    code,
    message,
    place,
    path: place.inode === undefined
      ? undefined
      : paths.path(check, place.inode),
  }));
  const counts = countsOf(check, totals);
  return { findings, problems, counts, lacksSpace: check.lacksSpace };
}

/** Notes that the volume is not marked as closed. */
function checkState(check: Check): void {
  const state = check.superblock(SUPERBLOCK.s_state);
  const isMarked = (state & (STATE_VALID | STATE_ERROR)) === STATE_VALID;
  if (!isMarked) check.findings.add("superblock.state");
}

/** Finds superblock and groups; anew, if that has changed the geometry. */
function* open(
  store: BlockStore,
  { findings, ...options }: Omit<CheckParts, "store" | "geometry">,
): Generator<void, Check> {
  for (let attempt = 1;; attempt++) {
    const geometry = openSuperblock(store, findings);
    const check = new Check({ store, geometry, findings, ...options });
    const mayRetry = attempt < ATTEMPTS_MAX;
    yield* checkGroups(check);
    if (checkResizeInode(check) && mayRetry) continue;
    return check;
  }
}

function want(paths: PathFinder, { list }: Findings): void {
  for (const { place } of list) {
    if (place.inode !== undefined) paths.want(place.inode);
  }
}

function countsOf(check: Check, totals: Totals): CheckCounts {
  const { inodesCount, blocksCount, firstDataBlock } = check.geometry;
  return {
    inodes: inodesCount - totals.freeInodes,
    inodesTotal: inodesCount,
    directories: check.directories.count,
    blocks: blocksCount - firstDataBlock - totals.freeBlocks,
    blocksTotal: blocksCount,
  };
}
