/**
 * Splits a byte stream into frames.
 *
 * A frame is a length, 4 bytes big-endian, and that many bytes. The buffer
 * belongs to the caller, who gives a larger one when bytes that have arrived
 * fill it; a length that was only declared moves nobody to allocate anything.
 *
 * @module
 */

import { PREFIX_SIZE } from "./frame_writer.ts";
import { ProtocolError } from "./protocol_error.ts";

/**
 * The frames in what has arrived.
 *
 * Invariant: `start <= end <= buffer.length`; the bytes between are those that
 * arrived and were not yet returned, and begin with a length prefix.
 */
export class FrameSplitter {
  /** The longest frame that is accepted, without its prefix, in bytes. */
  maxFrame: number;
  #buffer: Uint8Array;
  #start = 0;
  #end = 0;

  /** Collects bytes in `buffer`. */
  constructor(buffer: Uint8Array, maxFrame: number) {
    this.#buffer = buffer;
    this.maxFrame = maxFrame;
  }

  /** The buffer in use. */
  get buffer(): Uint8Array {
    return this.#buffer;
  }

  /** Bytes that have arrived and were not yet returned in frames. */
  get pending(): number {
    return this.#end - this.#start;
  }

  /** True if more bytes can only be received in a larger buffer. */
  get full(): boolean {
    return this.pending === this.#buffer.length;
  }

  /** Bytes until the frame at hand is whole; 0 if its length is not known. */
  get missing(): number {
    if (this.pending < PREFIX_SIZE) return 0;
    return Math.max(0, PREFIX_SIZE + this.#declared() - this.pending);
  }

  /**
   * Where the next bytes go. Frames that were returned before are void from
   * here on: the bytes behind them may move over them.
   */
  space(): Uint8Array {
    if (this.#start > 0 && this.#end * 2 > this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    } else if (this.#start === this.#end) {
      this.#start = this.#end = 0;
    }
    return this.#buffer.subarray(this.#end);
  }

  /** Takes note that `count` bytes have arrived in {@link space}. */
  received(count: number): void {
    this.#end += count;
  }

  /**
   * The next whole frame, without its prefix, as a view that is valid until
   * {@link space} or {@link moveTo}; null if more bytes must arrive first.
   * Throws {@link ProtocolError} for a frame beyond `maxFrame`.
   */
  next(): Uint8Array | null {
    if (this.pending < PREFIX_SIZE) return null;
    const length = this.#declared();
    if (length > this.maxFrame) {
      throw new ProtocolError(
        `Cannot accept a frame of ${length} bytes: the limit is ` +
          `${this.maxFrame}`,
      );
    }
    const start = this.#start + PREFIX_SIZE;
    if (start + length > this.#end) return null;
    this.#start = start + length;
    return this.#buffer.subarray(start, start + length);
  }

  /** Goes on in another buffer, which must hold what is pending. */
  moveTo(buffer: Uint8Array): void {
    buffer.set(this.#buffer.subarray(this.#start, this.#end));
    this.#end -= this.#start;
    this.#start = 0;
    this.#buffer = buffer;
  }

  #declared(): number {
    const buffer = this.#buffer;
    const at = this.#start;
    return (buffer[at] << 24 | buffer[at + 1] << 16 | buffer[at + 2] << 8 |
      buffer[at + 3]) >>> 0;
  }
}
