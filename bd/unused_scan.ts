/**
 * The scan of the parts of a paged hash tree that are of no use so far.
 *
 * Where a node is of zeros nothing was ever written, and nothing below it need
 * be looked at to know that. But whoever writes there later will look, so that
 * a scrub looks, too: in long reads of pages that are zeros as a rule.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { DeviceError } from "./block_device.ts";
import type { ByteFile } from "./byte_file.ts";
import { PAGE_BYTES, PAGE_FANOUT, type TreeLayout } from "./tree_layout.ts";

/** Bytes of the tree that are read at a time. */
const SCAN_BYTES = 1 << 20;

/** Throws unless `node`, on the path of leaf `leaf`, verifies. */
type CheckPath = (node: number, leaf: number) => void;

/** See the module. */
export class UnusedScan {
  readonly #file: ByteFile;
  readonly #layout: TreeLayout;
  readonly #bytes: Buffer = Buffer.alloc(SCAN_BYTES);
  readonly #zeros: Buffer = Buffer.alloc(SCAN_BYTES);

  /** Makes a scan of the tree in `file`, whose layout is of pages. */
  constructor(file: ByteFile, layout: TreeLayout) {
    this.#file = file;
    this.#layout = layout;
  }

  /**
   * Makes sure that the tree has zeros, and nothing else, for `count` leaves
   * from `leaf` on, for which a node above has. Throws what `checkPath` throws
   * for a node that it is called with.
   */
  check(leaf: number, count: number, checkPath: CheckPath): void {
    const end = leaf + count;
    for (let at = leaf; at < end;) {
      const pages = at % PAGE_FANOUT === 0
        ? this.#checkBlank(at, Math.floor((end - at) / PAGE_FANOUT), checkPath)
        : 0;
      at += pages * PAGE_FANOUT;
      if (pages > 0) continue;
      // What is left is part of a page, or a page that is not blank.
      const next = at - at % PAGE_FANOUT + PAGE_FANOUT;
      for (; at < Math.min(next, end); at++) {
        checkPath(this.#layout.firstLeaf + at, at);
      }
    }
  }

  /**
   * How many pages are blank from that of leaf `leaf`, its first, on; of these
   * the paths are checked.
   */
  #checkBlank(leaf: number, most: number, checkPath: CheckPath): number {
    const layout = this.#layout;
    const node = layout.firstLeaf + leaf;
    const pages = this.#blankPages(layout.unitOf(node), most);
    for (let i = 0; i < pages;) {
      // Where the page above is blank, too, its path stands for 64 others.
      const apex = node / PAGE_FANOUT + i;
      const isWhole = apex % PAGE_FANOUT === 0 && pages - i >= PAGE_FANOUT &&
        this.#blankPages(layout.unitOf(apex), 1) === 1;
      checkPath(isWhole ? apex / PAGE_FANOUT : apex, leaf + i * PAGE_FANOUT);
      i += isWhole ? PAGE_FANOUT : 1;
    }
    return pages;
  }

  /** How many blank pages there are from page `page` on. */
  #blankPages(page: number, most: number): number {
    const end = Math.min(most * PAGE_BYTES, SCAN_BYTES);
    try {
      const bytes = this.#bytes.subarray(0, end);
      this.#file.readAt(this.#layout.position(page), bytes);
    } catch (error) {
      // Page by page, it will be known which of them cannot be read.
      if (error instanceof DeviceError) return 0;
      throw error;
    }
    if (this.#isBlank(0, end)) return end / PAGE_BYTES;
    let at = 0;
    while (this.#isBlank(at, at + PAGE_BYTES)) at += PAGE_BYTES;
    return at / PAGE_BYTES;
  }

  #isBlank(start: number, end: number): boolean {
    return this.#bytes.compare(this.#zeros, start, end, start, end) === 0;
  }
}
