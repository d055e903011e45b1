/**
 * The engine's thread, and whether it may wait for the host.
 *
 * To hand an `fsync` to another thread and to hear of its end takes about as
 * long as a quick disk takes to sync. Whoever serves several clients hands it
 * over all the same, since the others are served meanwhile; whoever serves only
 * one, who waits for this very sync, has nothing else to do.
 *
 * @module
 */

/** The thread this program's files are read and written in. */
export const thread = {
  /** True if anybody may want something while the host syncs. */
  isShared: true,
};
