/**
 * A file in its simplest form: its size, and those blocks that are there. It
 * tells what ext2 has to store, block for block, whoever computes it.
 *
 * @module
 */

/** See the module. */
export class ShadowFile {
  /** Size, in bytes. */
  size = 0;
  /** The blocks that are no holes, by their place in the file. */
  readonly blocks = new Map<number, Uint8Array>();

  /** Makes an empty file of blocks of `blockSize` bytes. */
  constructor(readonly blockSize: number) {}

  /** Writes `from` at byte `offset`. */
  write(offset: number, from: Uint8Array): void {
    this.#pieces(offset, offset + from.length, (index, at, end) => {
      const base = index * this.blockSize - offset;
      this.#take(index).set(from.subarray(base + at, base + end), at);
    });
    if (from.length > 0) this.size = Math.max(this.size, offset + from.length);
  }

  /** Up to `length` bytes at `offset`; fewer at the end. */
  read(offset: number, length: number): Uint8Array {
    const end = Math.min(offset + length, this.size);
    const into = new Uint8Array(Math.max(end - offset, 0));
    this.#pieces(offset, end, (index, at, end) => {
      const block = this.blocks.get(index);
      const base = index * this.blockSize - offset;
      if (block) into.set(block.subarray(at, end), base + at);
    });
    return into;
  }

  /** Cuts the file, or makes it longer by a hole. */
  resize(size: number): void {
    for (const [index, block] of this.blocks) {
      const keep = size - index * this.blockSize;
      if (keep <= 0) this.blocks.delete(index);
      else if (keep < this.blockSize) block.fill(0, keep);
    }
    this.size = size;
  }

  /** Makes blocks of zeros of the holes in a range. */
  fill(offset: number, length: number, keepSize: boolean): void {
    this.#pieces(offset, offset + length, (index) => void this.#take(index));
    if (!keepSize) this.size = Math.max(this.size, offset + length);
  }

  /** Makes a range read as zeros, with blocks. */
  zero(offset: number, length: number, keepSize: boolean): void {
    const end = keepSize ? Math.min(offset + length, this.size) : Infinity;
    const count = Math.min(length, end - offset);
    if (count > 0) this.write(offset, new Uint8Array(count));
  }

  /** Makes a hole; what is behind the end belongs to no block. */
  punch(offset: number, length: number): void {
    const end = Math.min(offset + length, this.size);
    for (const [index, block] of this.blocks) {
      const base = index * this.blockSize;
      const last = Math.min(base + this.blockSize, this.size);
      if (base >= offset && last <= end) this.blocks.delete(index);
      else if (base < end && last > offset) {
        block.fill(0, Math.max(offset - base, 0), end - base);
      }
    }
  }

  /** Takes over a range of `source`, data as data and holes as holes. */
  copy(
    source: ShadowFile,
    range: { fromOffset: number; toOffset: number; length: number },
  ): void {
    const { fromOffset, toOffset, length } = range;
    for (let done = 0; done < length;) {
      const [from, to] = [fromOffset + done, toOffset + done];
      const data = source.seek(from, false) ?? Infinity;
      const next = data === from ? source.seek(from, true)! : data;
      const count = Math.min(next - from, length - done);
      if (data === from) this.write(to, source.read(from, count));
      else {
        this.punch(to, count);
        this.size = Math.max(this.size, to + count);
      }
      done += count;
    }
  }

  /** What lseek(2) finds from `offset` on; null for `ENXIO`. */
  seek(offset: number, hole: boolean): number | null {
    if (offset >= this.size) return null;
    let index = Math.floor(offset / this.blockSize);
    if (hole) { while (this.blocks.has(index)) index++; }
    else if (!this.blocks.has(index)) {
      const behind = [...this.blocks.keys()].filter((i) => i > index);
      if (behind.length === 0) return null;
      index = Math.min(...behind);
    }
    const found = Math.max(offset, index * this.blockSize);
    return Math.min(found, this.size);
  }

  /** What stat(2) tells as `st_blocks`: with the indirect blocks needed. */
  get sectors(): number {
    const n = this.blockSize / 4;
    const holders = new Set<string>();
    for (const index of this.blocks.keys()) {
      const inner = [12, n, n * n].reduce<number[]>((bases, span) => {
        return [...bases, bases[bases.length - 1] + span];
      }, [0]);
      const level = inner.findLastIndex((base) => index >= base);
      for (let l = 1; l <= level; l++) {
        const nth = Math.floor((index - inner[level]) / n ** l);
        holders.add(`${level} ${l} ${nth}`);
      }
    }
    return (this.blocks.size + holders.size) * (this.blockSize / 512);
  }

  #take(index: number): Uint8Array {
    let block = this.blocks.get(index);
    if (!block) this.blocks.set(index, block = new Uint8Array(this.blockSize));
    return block;
  }

  /** Visits the parts of blocks that make up bytes `from` to `end - 1`. */
  #pieces(
    from: number,
    end: number,
    visit: (index: number, at: number, end: number) => void,
  ): void {
    const { blockSize } = this;
    for (let at = from; at < end;) {
      const index = Math.floor(at / blockSize);
      const next = Math.min(end, (index + 1) * blockSize);
      visit(index, at - index * blockSize, next - index * blockSize);
      at = next;
    }
  }
}
