/**
 * A file of bytes: what a layer stands on that keeps something other than
 * blocks, such as a hash tree.
 *
 * @module
 */

/** An open file that is read and written at positions. */
export interface ByteFile {
  /** Size in bytes when it was opened. */
  readonly size: number;
  /** True if writes are refused. */
  readonly readOnly: boolean;
  /**
   * True if small writes cost next to nothing here: whoever knows what has
   * changed writes only that. Absent where long writes are as cheap.
   */
  readonly takesParts?: boolean;

  /**
   * Reads `into.length` bytes from byte `position` on, all of them. Throws
   * `DeviceError` if they cannot be read in full.
   */
  readAt(position: number, into: Uint8Array): void;

  /** Writes `from` at byte `position`, all of it, or throws. */
  writeAt(position: number, from: Uint8Array): void;

  /** Resolves when everything written is on stable storage. */
  sync(): Promise<void>;

  /** Gives up the file without syncing. Calling it again does nothing. */
  close(): void;
}
