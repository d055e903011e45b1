/**
 * The block device: the one small interface between the layers.
 *
 * A device is an array of `blockCount` blocks of `blockSize` bytes. Every
 * layer (host file, cache, fault injection, and the encrypting and verifying
 * devices) offers this interface and stands on another device that offers it.
 *
 * Reads and writes are synchronous: an engine that never waits in the middle
 * of an operation needs no locks. Only {@link BlockDevice.flush} waits.
 *
 * @module
 */

/** An array of equally sized blocks, addressed from 0. */
export interface BlockDevice {
  /** Size of one block, in bytes: a power of two, 1024 to 4096. */
  readonly blockSize: number;
  /** Number of blocks; valid addresses are 0 to `blockCount - 1`. */
  readonly blockCount: number;
  /** True if writes are refused. */
  readonly readOnly: boolean;
  /**
   * The most blocks that may be written between two flushes, on a device on
   * which these take effect as a whole or not at all. Absent on others.
   */
  readonly commitBlocksMax?: number;

  /**
   * Reads `into.length / blockSize` consecutive blocks, the first being
   * `block`. Throws {@link DeviceError} if they cannot be read in full.
   */
  read(block: number, into: Uint8Array): void;

  /**
   * Writes `from.length / blockSize` consecutive blocks, the first being
   * `block`. Throws {@link DeviceError} if they cannot be written in full.
   * The device does not keep `from`.
   */
  write(block: number, from: Uint8Array): void;

  /**
   * Throws what a write of `block` would be refused for before it changes
   * anything, as far as it is known now. Whoever collects writes asks when he
   * takes one on: it is then that somebody can be told. Absent where no write
   * is refused.
   */
  admitWrite?(block: number): void;

  /** Resolves when every write made so far is on stable storage. */
  flush(): Promise<void>;

  /**
   * Brings what was flushed to where it belongs in the end, and makes that
   * stable: for who ends in good order. Absent where it is there already.
   */
  settle?(): Promise<void>;

  /** Gives up the device without flushing. Calling it again does nothing. */
  close(): void;
}

/** The errno names a device reports. */
export type DeviceErrorCode = "EIO" | "ENOSPC" | "EROFS" | "EBADF" | "EINVAL";

/** A device could not do what was asked: the host's fault, or ours. */
export class DeviceError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "DeviceError";
  /** An errno name. */
  readonly code: DeviceErrorCode;

  /** Makes an error of `code`; the message names the action first. */
  constructor(code: DeviceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * What was read is not what was written: the host changed it, or swapped it,
 * or put back an older copy. It fails the operation that met it, and no other.
 */
export class IntegrityError extends DeviceError {
  /** The name of the class, for messages. */
  override readonly name: string = "IntegrityError";

  /** Makes the error for `block`, the first block that failed. */
  constructor(readonly block: number, message: string) {
    super("EIO", message);
  }
}

/**
 * Throws {@link DeviceError} `EINVAL` unless `[block, block + bytes)` is a
 * whole number of blocks inside `device`.
 */
export function checkRange(
  device: BlockDevice,
  block: number,
  byteLength: number,
): void {
  const count = byteLength / device.blockSize;
  if (
    !Number.isInteger(count) || !Number.isInteger(block) || block < 0 ||
    block + count > device.blockCount
  ) {
    throw new DeviceError(
      "EINVAL",
      `Cannot access ${byteLength} bytes at block ${block}: the device has ` +
        `${device.blockCount} blocks of ${device.blockSize} bytes`,
    );
  }
}
