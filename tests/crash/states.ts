/**
 * Crash states: what the files of a volume may hold after a crash.
 *
 * The host may stop after any call of the log. The writes since the last sync
 * of their file are each there or not, whatever the order they were issued in,
 * or there in part, in sectors of 512 bytes. All of these choices are too many
 * to try: for each place in the log the systematic ones are made (none, all,
 * the last alone, all but one, the last torn at each sector), and some at
 * random.
 *
 * @module
 */

import type { VolumeFile } from "../../bd/volume/mod.ts";
import type { Random } from "../support/random.ts";
import { Disk, type LooseWrite } from "./disk.ts";
import { type Contents, copyContents, type HostCall } from "./recording.ts";

/** What a disk writes as a whole or not at all, in bytes. */
export const SECTOR = 512;

/** How many states are made at each place of the log. */
export interface StateOptions {
  /** Of those that lack one write: at most so many. */
  readonly missing: number;
  /** Random choices among the writes that are not durable. */
  readonly random: number;
  /** Of those with a torn write: at most so many. */
  readonly torn: number;
}

/** As many states as CI has the time for. */
export const USUAL_STATES: StateOptions = { missing: 4, random: 3, torn: 5 };

/** Which sectors of a write are there: all, or those marked with 1. */
type Part = "all" | Uint8Array;

/** One crash state. */
export interface CrashState {
  /** Calls of the log that were made before the crash. */
  readonly calls: number;
  /** Equal for states of equal contents. */
  readonly key: string;
  /** What is there and what is missing, in words. */
  readonly text: string;
  /** Builds the contents of the files, which are the caller's. */
  contents(): Map<VolumeFile, Uint8Array>;
}

/**
 * Every crash state that is to be tried, in the order of the log. States of
 * the same place have different keys; those of different places need not.
 * A state must be built before the next is asked for.
 */
export function* crashStates(
  initial: Contents,
  log: readonly HostCall[],
  random: Random,
  options: StateOptions = USUAL_STATES,
): Generator<CrashState> {
  const disk = new Disk(initial);
  for (let calls = 0; calls <= log.length; calls++) {
    if (calls > 0) disk.apply(log[calls - 1], calls - 1);
    // To ask for a sync changes nothing.
    if (calls > 0 && log[calls - 1].kind === "sync") continue;
    const seen = new Set<string>();
    for (const choice of choices(disk.loose, random, options)) {
      const parts = choice.map(simplest);
      const state = stateOf(disk, parts, { calls, total: log.length });
      if (seen.has(state.key)) continue;
      seen.add(state.key);
      yield state;
    }
  }
}

/** Sectors of which all or none are there need not be told apart. */
function simplest(part: Part | null): Part | null {
  if (part === null || part === "all") return part;
  if (part.every((bit) => bit === 1)) return "all";
  return part.includes(1) ? part : null;
}

/** Choices of what is there of each of `loose`; null is none of it. */
function* choices(
  loose: readonly LooseWrite[],
  random: Random,
  options: StateOptions,
): Generator<(Part | null)[]> {
  const count = loose.length;
  const all = (): (Part | null)[] => loose.map(() => "all");
  const none = (): (Part | null)[] => loose.map(() => null);
  yield all();
  if (count === 0) return;
  yield none();
  yield [...none().slice(1), "all"];
  for (const i of some(count, options.missing, random)) {
    const parts = all();
    parts[i] = null;
    yield parts;
  }
  for (let n = 0; n < options.random; n++) {
    const chance = random.pick([0.2, 0.5, 0.8]);
    yield loose.map(() => random.chance(chance) ? "all" : null);
  }
  yield* tornChoices(loose, random, options);
}

/** Choices in which one write is there in part. */
function* tornChoices(
  loose: readonly LooseWrite[],
  random: Random,
  { torn }: StateOptions,
): Generator<(Part | null)[]> {
  const last = loose.length - 1;
  for (const sectors of tears(sectorsOf(loose[last]), random, torn)) {
    const parts: (Part | null)[] = loose.map(() => "all");
    parts[last] = sectors;
    yield parts;
  }
  if (last === 0) return;
  for (let n = 0; n < torn; n += 2) {
    const victim = random.below(loose.length);
    const sectors = sectorsOf(loose[victim]);
    if (sectors < 2) continue;
    const parts: (Part | null)[] = loose.map(() =>
      random.chance(0.6) ? "all" : null
    );
    parts[victim] = Uint8Array.from(
      { length: sectors },
      () => random.below(2),
    );
    yield parts;
  }
}

/** At most `most` ways in which a write of so many sectors can be torn. */
function* tears(
  sectors: number,
  random: Random,
  most: number,
): Generator<Uint8Array> {
  if (sectors < 2) return;
  const cuts = some(sectors - 1, Math.ceil(most / 2), random);
  for (const cut of cuts) {
    const head = new Uint8Array(sectors).fill(1, 0, cut + 1);
    yield head;
    yield head.map((bit) => 1 - bit);
  }
  for (let n = 2 * cuts.length; n < most; n++) {
    yield Uint8Array.from({ length: sectors }, () => random.below(2));
  }
}

/** The last and other numbers below `count`, at most `most` of them. */
function some(count: number, most: number, random: Random): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (count <= most) return all;
  const picked = new Set([count - 1]);
  while (picked.size < most) picked.add(random.below(count));
  return [...picked].sort((a, b) => a - b);
}

function firstSector({ position }: LooseWrite): number {
  return Math.floor(position / SECTOR);
}

/** Number of sectors that a write touches. */
function sectorsOf(write: LooseWrite): number {
  const end = write.position + write.bytes.length;
  return Math.ceil(end / SECTOR) - firstSector(write);
}

function stateOf(
  disk: Disk,
  parts: readonly (Part | null)[],
  { calls, total }: { calls: number; total: number },
): CrashState {
  const { loose, version } = disk;
  return {
    calls,
    key: keyOf(disk, parts),
    text: `after ${calls} of ${total} host calls: ${wordsOf(loose, parts)}`,
    contents(): Map<VolumeFile, Uint8Array> {
      if (disk.version !== version) throw new Error("The disk has gone on");
      const files = copyContents(disk.durable);
      loose.forEach((write, i) => put(files, write, parts[i]));
      return files;
    },
  };
}

function put(
  files: Map<VolumeFile, Uint8Array>,
  write: LooseWrite,
  part: Part | null,
): void {
  if (part === null) return;
  const { position, bytes } = write;
  const file = files.get(write.file)!;
  if (part === "all") return file.set(bytes, position);
  const first = firstSector(write);
  for (let i = 0; i < part.length; i++) {
    if (part[i] === 0) continue;
    const from = Math.max(0, (first + i) * SECTOR - position);
    const to = Math.min(bytes.length, (first + i + 1) * SECTOR - position);
    file.set(bytes.subarray(from, to), position + from);
  }
}

/**
 * Names the contents by the last write that is there and by what is missing
 * of those before it: the same whether a sync has been reported or not.
 */
function keyOf(
  { loose, latest }: Disk,
  parts: readonly (Part | null)[],
): string {
  let last = latest;
  loose.forEach(({ index }, i) => {
    if (parts[i] !== null) last = Math.max(last, index);
  });
  const lacks = loose.flatMap(({ index, position }, i) => {
    const part = parts[i];
    if (part === "all" || index > last) return [];
    return `${index}@${position}:${part?.join("") ?? ""}`;
  });
  return `${last} ${lacks}`;
}

/** Lists of writes longer than this are cut in descriptions. */
const WORDS_MAX = 12;

function wordsOf(
  loose: readonly LooseWrite[],
  parts: readonly (Part | null)[],
): string {
  const missing: string[] = [];
  let there = 0;
  loose.forEach((write, i) => {
    const part = parts[i];
    const { index, file, position, bytes, doomed } = write;
    const name = `#${index} ${file}@${position}+${bytes.length}` +
      (doomed ? " (its sync failed)" : "");
    if (part === "all") there++;
    else if (part === null) missing.push(name);
    else missing.push(`sectors of ${name} but for ${part.join("")}`);
  });
  const more = missing.length - WORDS_MAX;
  if (more > 0) missing.splice(WORDS_MAX, more, `and ${more} more`);
  return `${there} of ${loose.length} writes that are not durable are there` +
    (missing.length > 0 ? `; missing: ${missing.join(", ")}` : "");
}
