/**
 * The buffers for frames that are too long for a connection's own.
 *
 * There is a fixed number of pairs for the whole server. A connection takes at
 * most one pair, for its requests and its replies together, so that no two
 * connections can wait for what the other holds.
 *
 * @module
 */

/** Buffers for one connection's long frames. */
export class LargeBuffers {
  readonly #size: number;
  #requests: Uint8Array | null = null;
  #replies: Uint8Array | null = null;

  /** Makes a pair of buffers of `size` bytes each, when they are used. */
  constructor(size: number) {
    this.#size = size;
  }

  /** For what is received. */
  get requests(): Uint8Array {
    return this.#requests ??= new Uint8Array(this.#size);
  }

  /** For what is sent. */
  get replies(): Uint8Array {
    return this.#replies ??= new Uint8Array(this.#size);
  }
}

/** Lends pairs of large buffers, first come first served. */
export class LargeBufferPool {
  readonly #size: number;
  readonly #waiting: ((buffers: LargeBuffers) => void)[] = [];
  readonly #free: LargeBuffers[] = [];
  #unmade: number;
  #contendedSince = Infinity;

  /** Lends at most `count` pairs of buffers of `size` bytes each. */
  constructor(count: number, size: number) {
    this.#unmade = count;
    this.#size = size;
  }

  /** True if somebody waits. */
  get contended(): boolean {
    return this.#waiting.length > 0;
  }

  /**
   * Since when there has always been somebody who waits, as
   * `performance.now()` counts; Infinity if nobody waits.
   */
  get contendedSince(): number {
    return this.contended ? this.#contendedSince : Infinity;
  }

  /** Resolves with a pair when one is free. */
  take(): Promise<LargeBuffers> {
    const free = this.#free.pop();
    if (free) return Promise.resolve(free);
    if (this.#unmade > 0) {
      this.#unmade--;
      return Promise.resolve(new LargeBuffers(this.#size));
    }
    if (!this.contended) this.#contendedSince = performance.now();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives a pair back. */
  give(buffers: LargeBuffers): void {
    const next = this.#waiting.shift();
    if (next) next(buffers);
    else this.#free.push(buffers);
  }
}
