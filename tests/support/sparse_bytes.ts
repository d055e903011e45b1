/**
 * A file's contents as the simplest thing that can hold a sparse file.
 *
 * @module
 */

const PAGE = 4096;

/** A growable array of bytes; what was never written is zero. */
export class SparseBytes {
  /** Pages that hold something, by number. */
  readonly pages = new Map<number, Uint8Array>();
  /** Length, in bytes. */
  size = 0;

  /** Stores `from` at `offset`, growing the array if need be. */
  write(offset: number, from: Uint8Array): void {
    for (let done = 0; done < from.length;) {
      const number = Math.floor((offset + done) / PAGE);
      const at = (offset + done) % PAGE;
      const count = Math.min(PAGE - at, from.length - done);
      let page = this.pages.get(number);
      if (!page) this.pages.set(number, page = new Uint8Array(PAGE));
      page.set(from.subarray(done, done + count), at);
      done += count;
    }
    if (from.length > 0) this.size = Math.max(this.size, offset + from.length);
  }

  /** Up to `length` bytes at `offset`; fewer at the end. */
  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(
      Math.max(0, Math.min(length, this.size - offset)),
    );
    for (let done = 0; done < bytes.length;) {
      const at = (offset + done) % PAGE;
      const count = Math.min(PAGE - at, bytes.length - done);
      const page = this.pages.get(Math.floor((offset + done) / PAGE));
      if (page) bytes.set(page.subarray(at, at + count), done);
      done += count;
    }
    return bytes;
  }

  /** Makes `length` bytes at `offset` zero; the array keeps its size. */
  zero(offset: number, length: number): void {
    for (const [number, page] of this.pages) {
      const [from, end] = [offset, offset + length].map((byte) =>
        Math.min(Math.max(byte - number * PAGE, 0), PAGE)
      );
      page.fill(0, from, end);
    }
  }

  /** Cuts the array, or lengthens it by zeros. */
  resize(size: number): void {
    for (const [number, page] of this.pages) {
      const keep = size - number * PAGE;
      if (keep <= 0) this.pages.delete(number);
      else if (keep < PAGE) page.fill(0, keep);
    }
    this.size = size;
  }
}
