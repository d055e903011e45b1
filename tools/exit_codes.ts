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
  /** `fsck`: problems were found and repaired; as e2fsck has it. */
  fsckRepaired: 1,
  /** `fsck`: problems are left; as e2fsck has it. */
  fsckLeft: 4,
  /** `fsck`: the check failed; as e2fsck has it. */
  fsckFailed: 8,
  /** There is no volume at the place named. */
  noVolume: 10,
  /** The volume is in use by another process. */
  inUse: 11,
  /** The passphrase or the key file is not the volume's. */
  wrongKey: 12,
  /** The volume is damaged: what was read is not what was written. */
  integrity: 13,
  /** The volume is not the one that its anchor says: an older copy. */
  rolledBack: 14,
  /** `fsck`: the command line is wrong; as e2fsck has it. */
  fsckUsage: 16,
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
  fsckRepaired: "fsck: problems were found, and all were repaired",
  fsckLeft: "fsck: problems are left",
  fsckFailed: "fsck: the check failed; the standard error says what",
  noVolume: "There is no volume or image at the place named",
  inUse: "Another process has the volume or image open",
  wrongKey: "Wrong passphrase or key file",
  integrity: "The volume or image is damaged, or was changed by others",
  rolledBack: "The volume or image is an older copy, or another one",
  fsckUsage: "fsck: the command line is wrong",
  interrupted: "Interrupted by a signal",
  brokenPipe: "Nobody reads the output any more",
};
