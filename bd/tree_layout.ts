/**
 * Where the nodes of a hash tree lie in its file: two layouts of one tree.
 *
 * Nodes are numbered as in a heap: the root is 1, the children of `h` are `2h`
 * and `2h + 1`, and leaf `j` is `firstLeaf + j`. What is read and written at a
 * time is a unit, an array of 128 slots for nodes. The two children of a node
 * always share a unit.
 *
 * - The **array** is the original's: every node in the order of its number,
 *   root first, nothing between. With n leaves it has 2n − 1 nodes.
 * - The **pages** are ours. A page of 4 KiB has the 126 descendants of one
 *   node, its apex, in six levels; their 64 last are leaves or the apices of
 *   64 further pages. So a path of 24 levels touches four pages, and each is
 *   verified by itself from an apex that the page above holds. The tree is
 *   filled up to 64^k leaves. A node of zeros stands for a subtree in which
 *   nothing was ever written: pages of zeros need no space on the host's disk,
 *   and a volume may be far larger than what it holds.
 *
 * @module
 */

/** Slots of a unit. */
export const UNIT_SLOTS = 128;

/** Levels in a page. */
const PAGE_LEVELS = 6;
/** The leaves, or apices, in the lowest level of a page: 2^6. */
export const PAGE_FANOUT = 64;
/** Bytes of a page: 128 slots for HMAC-SHA-256. */
export const PAGE_BYTES = 4096;

/** A place for nodes, and what the nodes mean. */
export interface TreeLayout {
  /** Number of leaves in use. */
  readonly leafCount: number;
  /** Number of leaf 0. */
  readonly firstLeaf: number;
  /** Size of a node's value, in bytes. */
  readonly digestSize: number;
  /** True if a node of zeros means that nothing was written below it. */
  readonly sparse: boolean;
  /** True if the file holds the root as well. */
  readonly storesRoot: boolean;
  /** Size of the file, in bytes. */
  readonly fileSize: number;
  /** The unit that holds `node`, which is not the root of a paged tree. */
  unitOf(node: number): number;
  /** The slot of `node` in its unit `unit`. */
  slotOf(node: number, unit: number): number;
  /** First slot of `unit` that is in the file. */
  firstSlot(unit: number): number;
  /** First slot of `unit` that is not in the file any more. */
  endSlot(unit: number): number;
  /** Where the first slot of `unit` that is in the file lies there. */
  position(unit: number): number;
}

/** The level of a node: 0 for the root. Nodes are below 2^53. */
export function levelOf(node: number): number {
  if (node < 2 ** 32) return 31 - Math.clz32(node);
  return 63 - Math.clz32(node / 2 ** 32);
}

/** The original's array of `leafCount` leaves, of `digestSize` bytes each. */
export function arrayLayout(leafCount: number, digestSize: number): TreeLayout {
  return new ArrayLayout(leafCount, digestSize);
}

/** Our pages, for `leafCount` leaves of 32 bytes. */
export function pagedLayout(leafCount: number): TreeLayout {
  return new PagedLayout(leafCount);
}

class ArrayLayout implements TreeLayout {
  readonly firstLeaf: number;
  readonly sparse = false;
  readonly storesRoot = true;
  readonly fileSize: number;

  constructor(readonly leafCount: number, readonly digestSize: number) {
    this.firstLeaf = leafCount;
    this.fileSize = (2 * leafCount - 1) * digestSize;
  }

  unitOf(node: number): number {
    return Math.floor(node / UNIT_SLOTS);
  }

  slotOf(node: number, unit: number): number {
    return node - unit * UNIT_SLOTS;
  }

  firstSlot(unit: number): number {
    return unit === 0 ? 1 : 0;
  }

  endSlot(unit: number): number {
    return Math.min(UNIT_SLOTS, 2 * this.leafCount - unit * UNIT_SLOTS);
  }

  position(unit: number): number {
    // Node 1 is at byte 0: numbers here begin with 1, places with 0.
    const node = unit * UNIT_SLOTS + this.firstSlot(unit);
    return (node - 1) * this.digestSize;
  }
}

/** A level of a paged tree. */
interface PagedLevel {
  /** Its nodes in each page, which begin in the slot of this number. */
  readonly width: number;
  /** Number of its first page, less the number of that page's apex. */
  readonly page: number;
}

class PagedLayout implements TreeLayout {
  readonly digestSize = 32;
  readonly sparse = true;
  readonly storesRoot = false;
  readonly firstLeaf: number;
  readonly fileSize: number;
  /** What places nodes, for each level; nothing is of use for the root. */
  readonly #levels: PagedLevel[] = [{ width: 1, page: 0 }];

  constructor(readonly leafCount: number) {
    // The tiers of pages, from the top page on.
    let firstPage = 0;
    let apices = 1;
    for (;;) {
      for (let depth = 1; depth <= PAGE_LEVELS; depth++) {
        // Above every `width` nodes in a row is one apex.
        this.#levels.push({ width: 2 ** depth, page: firstPage - apices });
      }
      this.firstLeaf = apices * PAGE_FANOUT;
      if (this.firstLeaf >= leafCount) break;
      firstPage += apices;
      apices *= PAGE_FANOUT;
    }
    const bottomPages = Math.ceil(leafCount / PAGE_FANOUT);
    this.fileSize = (firstPage + bottomPages) * PAGE_BYTES;
  }

  unitOf(node: number): number {
    const { width, page } = this.#levels[levelOf(node)];
    return page + Math.floor(node / width);
  }

  slotOf(node: number): number {
    const { width } = this.#levels[levelOf(node)];
    return width + node - Math.floor(node / width) * width;
  }

  firstSlot(): number {
    return 0;
  }

  endSlot(): number {
    return UNIT_SLOTS;
  }

  position(page: number): number {
    return page * PAGE_BYTES;
  }
}
