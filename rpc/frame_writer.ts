/**
 * Writes frames: the encoder of the wire.
 *
 * It is our own, in place of a library's, because a reply's bytes are its
 * cost: the engine reads a file's data straight into the batch of replies that
 * goes to the socket, which no encoder of finished values can do, and what is
 * left of CBOR for it is one head format (RFC 8949, section 3). The tests hold
 * it against a library's decoder.
 *
 * @module
 */

/** Bytes of the length in front of every frame. */
export const PREFIX_SIZE = 4;

/** Longest head of one CBOR item, in bytes. */
const HEAD_MAX = 9;

/** The major types of CBOR that the wire uses (RFC 8949, section 3.1). */
export const MAJOR_UINT = 0;
/** Negative integers. */
export const MAJOR_NEGATIVE = 1;
/** Byte strings. */
export const MAJOR_BYTES = 2;
/** Text strings. */
export const MAJOR_TEXT = 3;
/** Arrays. */
export const MAJOR_ARRAY = 4;
/** Simple values. */
export const MAJOR_SIMPLE = 7;
/** The one-byte encodings of the three simple values. */
export const FALSE = 0xf4;
/** True. */
export const TRUE = 0xf5;
/** Null. */
export const NULL = 0xf6;

/** A byte string whose bytes are made in the place they are sent from. */
export class InPlace {
  /** At most `maxLength` bytes; `fill` returns how many it has made. */
  constructor(
    readonly maxLength: number,
    readonly fill: (into: Uint8Array) => number,
  ) {}
}

const utf8 = new TextEncoder();

/**
 * Frames one after the other in one buffer.
 *
 * Invariant: `start <= length`, and bytes before `start` are whole frames. A
 * frame that outgrows the buffer goes on being measured, not written.
 */
export class FrameWriter {
  /** The buffer; its first `length` bytes are to be sent. */
  buffer: Uint8Array;
  #start = 0;
  #at = 0;

  /** Writes into `buffer` from its beginning. */
  constructor(buffer: Uint8Array) {
    this.buffer = buffer;
  }

  /** Bytes of whole frames in the buffer. */
  get length(): number {
    return this.#start;
  }

  /** Bytes left behind the whole frames. */
  get room(): number {
    return this.buffer.length - this.#start;
  }

  /** Bytes of whole frames and of the frame at hand, fitting or not. */
  get size(): number {
    return this.#at;
  }

  /** Goes on in another buffer, which holds the whole frames already. */
  moveTo(buffer: Uint8Array): void {
    this.buffer = buffer;
  }

  /** Starts again, at the beginning of `buffer`. */
  reset(buffer: Uint8Array): void {
    this.buffer = buffer;
    this.#start = this.#at = 0;
  }

  /** Begins a frame: an array of `count` items that follow. */
  begin(count: number): void {
    this.#at = this.#start + PREFIX_SIZE;
    this.array(count);
  }

  /**
   * Ends the frame. Returns 0, or, if the frame is longer than `maxFrame` or
   * the buffer, the bytes the buffer would have needed: then the frame is not
   * in the buffer.
   */
  end(maxFrame: number = Infinity): number {
    const at = this.#at;
    const length = at - this.#start - PREFIX_SIZE;
    if (at > this.buffer.length || length > maxFrame) {
      this.#at = this.#start;
      return at;
    }
    const { buffer } = this;
    buffer[this.#start] = length >>> 24;
    buffer[this.#start + 1] = length >>> 16;
    buffer[this.#start + 2] = length >>> 8;
    buffer[this.#start + 3] = length;
    this.#start = at;
    return 0;
  }

  /** Writes an integer in ±(2^53 − 1). */
  int(value: number): void {
    if (value >= 0) this.#head(MAJOR_UINT, value);
    else this.#head(MAJOR_NEGATIVE, -1 - value);
  }

  /** Writes a byte string. */
  bytes(value: Uint8Array): void {
    this.#head(MAJOR_BYTES, value.length);
    this.#copy(value);
  }

  /** Writes a text string. */
  text(value: string): void {
    const encoded = utf8.encode(value);
    this.#head(MAJOR_TEXT, encoded.length);
    this.#copy(encoded);
  }

  /** Begins an array of `count` items that follow. */
  array(count: number): void {
    this.#head(MAJOR_ARRAY, count);
  }

  /** Writes null. */
  null(): void {
    this.buffer[this.#at++] = NULL;
  }

  /** Writes false or true. */
  boolean(value: boolean): void {
    this.buffer[this.#at++] = value ? TRUE : FALSE;
  }

  /** Writes a byte string that is made in place. */
  inPlace(value: InPlace): void {
    const before = this.#at;
    if (before + HEAD_MAX + value.maxLength > this.buffer.length) {
      this.#at += HEAD_MAX + value.maxLength;
      return;
    }
    this.#head(MAJOR_BYTES, value.maxLength);
    const at = this.#at;
    const length = value.fill(this.buffer.subarray(at, at + value.maxLength));
    if (length < value.maxLength) {
      // The end of a file: a shorter length may have a shorter head.
      this.#at = before;
      this.#head(MAJOR_BYTES, length);
      this.buffer.copyWithin(this.#at, at, at + length);
    }
    this.#at += length;
  }

  #copy(value: Uint8Array): void {
    const end = this.#at + value.length;
    if (end <= this.buffer.length) this.buffer.set(value, this.#at);
    this.#at = end;
  }

  /** Writes a head in its shortest form (RFC 8949, section 4.2.1). */
  #head(major: number, value: number): void {
    const { buffer } = this;
    const type = major << 5;
    // Stores beyond the end of a typed array do nothing: end() reports them.
    if (value < 24) {
      buffer[this.#at++] = type | value;
    } else if (value < 0x100) {
      buffer[this.#at++] = type | 24;
      buffer[this.#at++] = value;
    } else if (value < 0x10000) {
      buffer[this.#at++] = type | 25;
      buffer[this.#at++] = value >>> 8;
      buffer[this.#at++] = value;
    } else {
      const wide = value > 0xffffffff;
      buffer[this.#at++] = type | (wide ? 27 : 26);
      if (wide) this.#uint32(Math.floor(value / 0x100000000));
      this.#uint32(value >>> 0);
    }
  }

  #uint32(value: number): void {
    const { buffer } = this;
    buffer[this.#at++] = value >>> 24;
    buffer[this.#at++] = value >>> 16;
    buffer[this.#at++] = value >>> 8;
    buffer[this.#at++] = value;
  }
}
