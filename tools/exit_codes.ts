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
  /** The passphrase or the key file is not the volume's. */
  wrongKey: 12,
  /** The volume is damaged: what was read is not what was written. */
  integrity: 13,
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
  noVolume: "There is no volume or image at the place named",
  inUse: "Another process has the volume or image open",
  wrongKey: "Wrong passphrase or key file",
  integrity: "The volume or image is damaged, or was changed by others",
  interrupted: "Interrupted by a signal",
  brokenPipe: "Nobody reads the output any more",
};
