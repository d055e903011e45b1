/**
 * Confinement: how a guarded filesystem is kept to a part of the volume.
 *
 * @module
 */

/**
 * A directory that is all there is for somebody, with what was shown of it.
 * Inode numbers come from outside, and may be guessed or out of date.
 */
export interface Confinement {
  /** The directory: what has it has all below it. */
  readonly root: number;

  /**
   * Throws {@link FsError} `ESTALE` unless inode `ino` is the root or below it
   * now, under a name that was noted, or is open.
   */
  admit(ino: number): void;

  /** As {@link admit}, of a file that gets a new name: being open is no help. */
  admitNamed(ino: number): void;

  /** Notes that inode `ino` was shown under `name` in directory `dir`. */
  note(ino: number, dir: number, name: Uint8Array): void;

  /** Notes that inode `ino` is open once more. */
  retain(ino: number): void;

  /** Notes that inode `ino` is open once less. */
  release(ino: number): void;
}
