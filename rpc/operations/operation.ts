/**
 * What a row of the table of operations says.
 *
 * @module
 */

import type { Errno } from "../../fs/errors.ts";
import type { Fields, ValuesOf } from "../wire_types.ts";

/** One operation: what it is called, takes, returns and does. */
export interface Operation<
  A extends Fields = Fields,
  R extends Fields = Fields,
> {
  /** Its number on the wire. */
  readonly number: number;
  /** One sentence for the documentation. */
  readonly doc: string;
  /** True if it may change the volume. */
  readonly mutates: boolean;
  /** True if doing it twice in a row leaves the same as doing it once. */
  readonly idempotent: boolean;
  /** Its arguments, in their order. */
  readonly arguments: A;
  /** Its results, in their order. */
  readonly results: R;
  /** What it is refused with, besides {@link USUAL_ERRORS}. */
  readonly errors: readonly Errno[];
  /** Bytes its reply does not exceed; `SMALL_REPLY` if absent. */
  readonly replySize?: (args: ValuesOf<A>) => number;
  /** For the documentation: when repeating it is not the same after all. */
  readonly unless?: string;
  /** True for arguments with which it changes nothing; none if absent. */
  readonly harmless?: (args: ValuesOf<A>) => boolean;
  /** When replies to later requests may come first; never if absent. */
  readonly late?: "always" | "sometimes";
  /** True if it cannot be a step of a compound. */
  readonly alone?: boolean;
}

/** The kinds of operation, by what repeating one does. */
export const QUERY = { mutates: false, idempotent: true } as const;
/** It has an effect on the connection, not on the volume. */
export const SESSION = { mutates: false, idempotent: false } as const;
/** It leaves the volume the same if it is repeated. */
export const UPDATE = { mutates: true, idempotent: true } as const;
/** Repeating it fails, or does something else. */
export const CHANGE = { mutates: true, idempotent: false } as const;

/**
 * What every operation may be refused with: an argument that is not of its
 * type, a failure of the host or a block that is not authentic, a broken
 * structure on the volume, and the end of the session.
 */
export const USUAL_ERRORS: readonly Errno[] = ["EINVAL", "EIO", "EUCLEAN"];

/** Gives a row its types. */
export function operation<A extends Fields, R extends Fields>(
  one: Operation<A, R>,
): Operation<A, R> {
  return one;
}
