/**
 * Why some cells of the matrix are empty.
 *
 * @module
 */

import type { OperationName } from "../../../rpc/mod.ts";
import type { Outcome } from "./observed.ts";

/** Operations, outcomes that they have no case for, and why. */
const REASONS: readonly {
  readonly operations: readonly OperationName[];
  readonly outcomes: readonly Outcome[];
  readonly reason: string;
}[] = [
  {
    operations: [
      ...["ping", "goodbye", "cancel", "getLock", "setLock"] as const,
      ...["device_register", "mount", "umount"] as const,
    ],
    outcomes: ["EIO", "EUCLEAN"],
    reason: "It looks at nothing of the volume.",
  },
  {
    operations: ["fork", "child_attach"],
    outcomes: ["EIO", "EUCLEAN"],
    reason: "What is open is known to be in use: nothing is read of it.",
  },
  {
    operations: ["new_fdtable"],
    outcomes: ["EIO", "EUCLEAN"],
    reason: "The table is empty then, whatever could not be closed in order; " +
      "the log says what could not.",
  },
  {
    operations: ["close", "file_close", "dir_close"],
    outcomes: ["EUCLEAN"],
    reason: "Nothing is read but the number of names, and any number will do.",
  },
  {
    operations: ["statfs", "mount_point_stats"],
    outcomes: ["EUCLEAN"],
    reason: "The superblock was checked when the volume was opened.",
  },
  {
    operations: ["sync", "fsync", "fdatasync", "cache_write_back"],
    outcomes: ["EUCLEAN"],
    reason: "What is stored is not looked at. What cannot be reclaimed is " +
      "left for the next time, and keeps nothing from being stored.",
  },
  {
    operations: ["hello"],
    outcomes: ["EUCLEAN"],
    reason: "Without its root no other case of a damaged volume can be made; " +
      "that of EIO goes the same way.",
  },
  {
    operations: ["compound"],
    outcomes: ["EIO", "EUCLEAN"],
    reason: "It is the steps that fail so, and that does not fail the request.",
  },
];

/** Why no case can have this outcome; undefined if one should. */
export function reasonFor(
  operation: OperationName,
  outcome: Outcome,
): string | undefined {
  return REASONS.find(({ operations, outcomes }) =>
    operations.includes(operation) && outcomes.includes(outcome)
  )?.reason;
}
