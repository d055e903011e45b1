/**
 * Which of the states that the journal of an image has is the present one.
 *
 * | what is trusted | the present state | a state behind it |
 * | --- | --- | --- |
 * | nothing: no tree | the last | |
 * | a root file | the last with this root | one was never acknowledged; more mean that the root file was put back |
 * | ROOT, and the password of the tree | the last of a history that ROOT is part of | |
 * | ROOT alone | the last with this root | is not to be trusted |
 *
 * A root file is written with each commit, and so it holds the present root. A
 * ROOT on the command line is older: it is what was printed when the image was
 * last closed. Records that are authenticated by a password go on from it in
 * nobody's hand but the owner's. A checkpoint forgets how it was come to; so
 * each state has, in the place of the descriptor's digest, that of the ROOT
 * by which the image was last opened for writing.
 *
 * @module
 */

import { isEqual } from "../bytes.ts";
import { createPlainHash } from "../hmac.ts";
import { RollbackError } from "../journal/errors.ts";
import type { VolumeState } from "../journal/state.ts";

/** A root that is trusted. */
export interface TrustedRoot {
  /** Its value. */
  readonly root: Uint8Array;
  /** The root file that it is from; null for the command line. */
  readonly file: string | null;
}

/** What decides on the present state. */
export interface PresentOptions {
  /** What is trusted; null without a tree. */
  readonly trusted: TrustedRoot | null;
  /** Whether a password authenticates the records. */
  readonly isKeyed: boolean;
  /** A generation to be taken, whatever the root says. */
  readonly accept?: number;
}

/** The present state. */
export interface PresentState {
  /** Where it is among the states. */
  readonly index: number;
  /** True if the image itself need not be in it, or not as it is trusted. */
  readonly isAhead: boolean;
  /** Generation of the last state, if what follows is given up. */
  readonly givenUp: number | null;
}

/** What a state has of the ROOT by which the image was opened. */
export function rootDigest(root: Uint8Array): Uint8Array {
  return createPlainHash("sha256").hash(root);
}

/**
 * Finds the present one of `states`, of which the first is the checkpoint's.
 * Null if there is no other, and that one is not it: then the journal has
 * nothing to say about the image. Throws {@link RollbackError} if none can be
 * the present one.
 */
export function findPresent(
  states: readonly VolumeState[],
  { trusted, isKeyed, accept }: PresentOptions,
): PresentState | null {
  const last = states.length - 1;
  if (accept !== undefined) return findAccepted(states, accept);
  if (!trusted) return { index: last, isAhead: last > 0, givenUp: null };
  const { root, file } = trusted;
  const index = states.findLastIndex((state) => isEqual(state.root, root));
  if (file === null && isKeyed) {
    const isPart = index >= 0 ||
      isEqual(states[last].descriptor, rootDigest(root));
    const isAhead = last > 0 || index < 0;
    if (isPart) return { index: last, isAhead, givenUp: null };
  } else if (index >= 0) {
    const rest = last - index;
    if (file !== null && rest > 1) throw rootPutBack(states, index, file);
    const givenUp = file === null && rest > 0 ? states[last].generation : null;
    return { index, isAhead: index > 0 || givenUp !== null, givenUp };
  }
  if (last === 0) return null;
  throw rolledBack(states[last], trusted);
}

function findAccepted(
  states: readonly VolumeState[],
  accept: number,
): PresentState {
  const index = states.findIndex(({ generation }) => generation === accept);
  if (index >= 0) return { index, isAhead: true, givenUp: null };
  const { generation } = states[states.length - 1];
  throw new RollbackError(
    `the image is at generation ${generation}, and --accept-rollback says ` +
      `${accept}: give the one that it is at, if that is meant`,
  );
}

/** The image is not the one that is trusted. */
export function rolledBack(
  { generation }: VolumeState,
  { file }: TrustedRoot,
): RollbackError {
  return new RollbackError(
    `the image is at generation ${generation}, whose root is not the one ` +
      `${file ? `in ${file}` : "given"}: rolled back, or the wrong copy`,
    { isAcceptable: true },
  );
}

function rootPutBack(
  states: readonly VolumeState[],
  index: number,
  file: string,
): RollbackError {
  const { generation } = states[states.length - 1];
  return new RollbackError(
    `the image is at generation ${generation}, and ${file} has the root of ` +
      `${states[index].generation}: the root file was rolled back`,
    { isAcceptable: true },
  );
}
