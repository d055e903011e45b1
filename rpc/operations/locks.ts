/**
 * Operations on advisory locks of byte ranges.
 *
 * @module
 */

import { boolean, integer, nullable, record } from "../wire_types.ts";
import { uint53 } from "../wire_values.ts";
import { descriptor } from "./files.ts";
import { operation, QUERY, SESSION } from "./operation.ts";

/** The fields of a lock that is in the way. */
export const LOCK_FIELDS = {
  exclusive: boolean,
  start: uint53,
  length: uint53,
  owner: uint53,
};

/** A lock that is in the way, on the wire. */
const lock = record("lock", LOCK_FIELDS);

/** `kind` of `setLock`: nobody's. */
export const LOCK_NONE = 0;
/** `kind` of `setLock`: may be held by several owners. */
export const LOCK_SHARED = 1;
/** `kind` of `setLock`: held by one owner. */
export const LOCK_EXCLUSIVE = 2;

/** See the module. */
export const LOCK_OPERATIONS = {
  getLock: operation({
    number: 94,
    doc: "The first lock that would keep `owner` from such a lock, or null; " +
      "its owner is 0 if it is of another connection. A `length` of 0 means " +
      "to the end, whatever that will be.",
    ...QUERY,
    errors: ["EBADF"],
    arguments: {
      descriptor,
      owner: uint53,
      exclusive: boolean,
      start: uint53,
      length: uint53,
    },
    results: { lock: nullable(lock) },
  }),
  setLock: operation({
    number: 95,
    doc: "Sets (`kind` 1 shared, 2 exclusive) or removes (0) the lock of " +
      "`owner` on a range; with `wait`, replies when it has it. It is given " +
      "up when the descriptor is closed, or the connection ends.",
    ...SESSION,
    late: "sometimes",
    errors: ["EAGAIN", "EBADF", "ECANCELED", "EDEADLK", "ENOLCK", "EOPNOTSUPP"],
    arguments: {
      descriptor,
      owner: uint53,
      kind: integer(LOCK_NONE, LOCK_EXCLUSIVE),
      start: uint53,
      length: uint53,
      wait: boolean,
    },
    results: {},
  }),
} as const;
