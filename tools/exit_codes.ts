/**
 * The exit codes of `nextfs`: scripts may rely on them.
 *
 * @module
 */

/** Every exit code in use, by what it says. */
export const EXIT = {
  /** All was done. */
  ok: 0,
  /** Something failed; stderr says what. */
  failure: 1,
  /** The command line is wrong. */
  usage: 2,
  /** There is no volume at the place named. */
  noVolume: 10,
  /** The volume is in use by another process. */
  inUse: 11,
  /** Interrupted: 128 + SIGINT, as shells count it. */
  interrupted: 130,
  /** Nobody reads the output any more: 128 + SIGPIPE. */
  brokenPipe: 141,
} as const;

/** What each exit code says, for the help. */
export const EXIT_MEANING: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "All was done",
  failure: "Something failed; the standard error says what",
  usage: "The command line is wrong",
  noVolume: "There is no volume in IMAGE",
  inUse: "IMAGE is in use by another process",
  interrupted: "Interrupted by a signal",
  brokenPipe: "Nobody reads the output any more",
};
