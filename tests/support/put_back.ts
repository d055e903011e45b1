/**
 * What becomes of a volume whose files were put back to earlier moments: it is
 * opened, and every block of it is read.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { IntegrityError } from "../../bd/block_device.ts";
import { isSameState } from "../../bd/journal/state.ts";
import {
  type OpenedVolume,
  RollbackError,
  type VolumeFile,
  VolumeIntegrityError,
} from "../../bd/volume/mod.ts";
import type { Host } from "../crash/recording.ts";
import {
  type Choice,
  hasTree,
  type History,
  type Moment,
  type OpenChoice,
} from "./put_back_history.ts";

/** It does not open: by which exit code, and why. */
export interface Refusal {
  readonly kind: "refused";
  readonly code: 13 | 14;
  readonly error: Error;
}

/** It opens. */
export interface Opening {
  readonly kind: "opened";
  /** The moment that the volume says it is at. */
  readonly moment: Moment;
  /** The generation that it says it is at. */
  readonly generation: number;
  /** Number of blocks that cannot be read. */
  readonly failed: number;
  /**
   * The one moment that everything is of which can be read: that one, if
   * possible, and no other one if there is a hash tree. Null if there is none.
   */
  readonly contents: Moment | null;
}

/** What becomes of a volume. */
export type Finding = Refusal | Opening;

/**
 * Opens what `host` has with the descriptor of `path`, reads it and closes it.
 * Throws for an error that no user may see, and for a state that never was.
 */
export async function look(
  history: History,
  { host, path }: { host: Pick<Host, "wrap">; path: string },
  options: OpenChoice & { at?: Moment } = {},
): Promise<Finding> {
  let volume: OpenedVolume;
  const { at, ...how } = options;
  try {
    volume = await history.open(host, path, how);
  } catch (error) {
    return refusal(error);
  }
  try {
    return read(history, volume, at);
  } finally {
    volume.close();
  }
}

/** What an error at opening is for the user; thrown on if it is a mistake. */
export function refusal(error: unknown): Refusal {
  assert.ok(
    error instanceof RollbackError || error instanceof VolumeIntegrityError,
    error instanceof Error ? error.stack : String(error),
  );
  assert.match(error.message, /^Cannot open [^\n]{20,400}$/);
  const code = error instanceof RollbackError ? 14 : 13;
  return { kind: "refused", code, error };
}

/** `at` is the moment that it must be at, under whichever generation. */
function read(history: History, volume: OpenedVolume, at?: Moment): Opening {
  const { state } = volume.keeper!;
  const moment = at ??
    history.known.findLast((one) => isSameState(one.state, state));
  assert.ok(moment, `generation ${state.generation} never was`);
  const { bytes, failed } = readAllBlocks(volume);
  const { blockSize } = volume.device;
  const isOf = ({ plain }: Moment): boolean => {
    if (failed.size === 0) return Buffer.compare(bytes, plain) === 0;
    const { length } = plain;
    for (let from = 0; from < length; from += blockSize) {
      if (failed.has(from / blockSize)) continue;
      const [a, b] = [bytes, plain].map((all) =>
        all.subarray(from, from + blockSize)
      );
      if (Buffer.compare(a, b) !== 0) return false;
    }
    return true;
  };
  const others = history.known.filter((one) => one !== moment);
  const candidates = hasTree(history.setting) ? [moment] : [moment, ...others];
  const contents = candidates.find(isOf) ?? null;
  const { generation } = state;
  const count = failed.size;
  return { kind: "opened", moment, generation, failed: count, contents };
}

/** All plaintext; zeros where a block cannot be read. */
function readAllBlocks(
  { device }: OpenedVolume,
): { bytes: Uint8Array; failed: Set<number> } {
  const { blockSize, blockCount } = device;
  const bytes = new Uint8Array(blockSize * blockCount);
  const failed = new Set<number>();
  const tryRead = (block: number, into: Uint8Array): boolean => {
    try {
      device.read(block, into);
      return true;
    } catch (error) {
      assert.ok(error instanceof IntegrityError, String(error));
      return false;
    }
  };
  if (tryRead(0, bytes)) return { bytes, failed };
  for (let block = 0; block < blockCount; block++) {
    const from = block * blockSize;
    const into = bytes.subarray(from, from + blockSize);
    if (!tryRead(block, into)) failed.add(block);
  }
  return { bytes, failed };
}

/**
 * Every way to take each file from one of the moments, but for ways that come
 * to the same, because a file was then what it is at a later moment. An anchor
 * that is apart is treated like one beside: then, only those ways are tried in
 * which all files that are put back are of the same moment.
 */
export function* choices(
  { names, moments, setting }: History,
): Generator<Choice> {
  const versions = names.map((name) => versionsOf(name, moments));
  const counts = versions.map(({ length }) => length);
  const total = counts.reduce((product, count) => product * count, 1);
  for (let i = 0; i < total; i++) {
    let rest = i;
    const choice = new Map<VolumeFile, Moment>();
    for (const [j, name] of names.entries()) {
      choice.set(name, versions[j][rest % counts[j]]);
      rest = Math.floor(rest / counts[j]);
    }
    if (setting.anchor !== "apart" || isOfOneMoment(choice, moments)) {
      yield choice;
    }
  }
}

/** Whether all files that are put back are of the same moment. */
function isOfOneMoment(choice: Choice, moments: readonly Moment[]): boolean {
  const now = moments.at(-1)!;
  return moments.some((moment) =>
    [...choice].every(([name, one]) =>
      isSameFile(name, one, now) || isSameFile(name, one, moment)
    )
  );
}

/** The present, and moments at which a file was another than ever since. */
function versionsOf(
  name: VolumeFile,
  moments: readonly Moment[],
): readonly Moment[] {
  const versions: Moment[] = [];
  for (const moment of moments.toReversed()) {
    if (versions.every((one) => !isSameFile(name, one, moment))) {
      versions.push(moment);
    }
  }
  return versions;
}

/** Whether a file was the same at two moments. */
export function isSameFile(name: VolumeFile, a: Moment, b: Moment): boolean {
  if (name === "descriptor") return a.path === b.path;
  return a.files.get(name) === b.files.get(name);
}
