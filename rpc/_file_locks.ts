/**
 * The locks of one file, and of one owner in it.
 *
 * Invariants:
 * - The ranges of one owner in one file are in order and do not overlap; two
 *   of the same kind and descriptor do not touch.
 * - An exclusive range shares no byte with a range of another owner.
 * - Every range is in its owner's list and in its file's tree, or in neither.
 *
 * @module
 */

import { IntervalTree } from "./_interval_tree.ts";

/** Where the range of a lock ends that ends nowhere: no byte has this number. */
export const TO_THE_END = Number.MAX_SAFE_INTEGER + 1;

/** Whoever locks: conflicts are between different owners. */
export interface Owner {
  /** The session whose owner it is. */
  readonly session: SessionLocks;
  /** The number by which the session knows it. */
  readonly number: number;
  /** What it holds, by inode number; no list is empty. */
  readonly held: Map<number, HeldLock[]>;
  /** What it waits for. */
  readonly waits: Set<Wait>;
}

/** What one session has to do with locks. */
export interface SessionLocks {
  /** The session. */
  readonly session: object;
  /** Its owners that hold something or wait for something, by number. */
  readonly owners: Map<number, Owner>;
  /** Number of ranges held and of waits. */
  count: number;
  /** The most there may be. */
  readonly limit: number;
}

/** A range and a kind, and whose that would be. */
export interface Query {
  /** The owner; null for one that has no locks as yet. */
  readonly owner: Owner | null;
  /** True if no other owner may have a lock there; else it is shared. */
  readonly exclusive: boolean;
  /** First byte. */
  readonly start: number;
  /** Byte behind the last, or {@link TO_THE_END}. */
  readonly end: number;
}

/** What is held, or asked for. */
export interface Claim extends Query {
  /** Whose it is. */
  readonly owner: Owner;
  /** The file. */
  readonly file: FileLocks;
  /** Descriptor with which it ends. */
  readonly descriptor: number;
}

/** A lock that was granted. */
export interface HeldLock extends Claim {
  /** Tells it from all others. */
  readonly id: number;
}

/** A lock that is being waited for. */
export interface Wait extends Claim {
  /** Tells the waiting that it is over. */
  readonly settle: (error: Error | null) => void;
}

/** True if the two cannot be held together. */
export function conflicts(a: Claim, b: Claim): boolean {
  return a.owner !== b.owner && (a.exclusive || b.exclusive) &&
    a.start < b.end && b.start < a.end;
}

let lastId = 0;

/** All locks of one file. */
export class FileLocks {
  /** Its inode number. */
  readonly ino: number;
  /** Who waits, in the order in which they came. */
  readonly waits: Set<Wait> = new Set();
  readonly #shared = new IntervalTree<HeldLock>();
  readonly #exclusive = new IntervalTree<HeldLock>();

  /** A file, as yet without locks. */
  constructor(ino: number) {
    this.ino = ino;
  }

  /** True if nobody holds a lock or waits for one. */
  get isUnused(): boolean {
    return this.#shared.isEmpty && this.#exclusive.isEmpty &&
      this.waits.size === 0;
  }

  /**
   * Of the locks held that conflict with `query`, the first that `accepts`
   * returns true for; null if there is none.
   */
  blocker(
    query: Query,
    accepts: (held: HeldLock) => boolean = (): boolean => true,
  ): HeldLock | null {
    const { owner, start, end } = query;
    const isOther = (held: HeldLock): boolean =>
      held.owner !== owner && accepts(held);
    const a = this.#exclusive.find(start, end, isOther);
    if (!query.exclusive) return a;
    const b = this.#shared.find(start, end, isOther);
    return a !== null && (b === null || a.start < b.start) ? a : b;
  }

  /**
   * Puts `added` in place of `count` locks of `owner` from `at` on in its
   * list, and counts them.
   */
  replace(
    owner: Owner,
    { at, count, added }: { at: number; count: number; added: HeldLock[] },
  ): void {
    const list = owner.held.get(this.ino) ?? [];
    for (const held of list.splice(at, count, ...added)) {
      this.#tree(held).delete(held);
    }
    for (const held of added) this.#tree(held).insert(held);
    owner.session.count += added.length - count;
    if (list.length > 0) owner.held.set(this.ino, list);
    else owner.held.delete(this.ino);
  }

  #tree({ exclusive }: HeldLock): IntervalTree<HeldLock> {
    return exclusive ? this.#exclusive : this.#shared;
  }
}

/** What is to happen to an owner's list of locks in one file. */
export interface Change {
  /** Index of the first lock that goes. */
  readonly at: number;
  /** Number of locks that go. */
  readonly count: number;
  /** What comes in their place. */
  readonly added: HeldLock[];
}

/**
 * What setting `claim` (or, with `unlocks`, taking its range away) does to the
 * locks that its owner has: they are split, cut, joined and replaced.
 */
export function changeOf(claim: Claim, unlocks: boolean): Change {
  const list = claim.owner.held.get(claim.file.ino) ?? [];
  const at = firstReaching(list, claim.start);
  let { start, end } = claim;
  let count = 0;
  const before: HeldLock[] = [];
  const after: HeldLock[] = [];
  for (; at + count < list.length; count++) {
    const held = list[at + count];
    if (held.start > claim.end) break;
    if (!unlocks && isAlike(held, claim)) {
      start = Math.min(start, held.start);
      end = Math.max(end, held.end);
      continue;
    }
    if (held.start < claim.start) {
      before.push(part(held, held.start, Math.min(held.end, claim.start)));
    }
    if (held.end > claim.end) {
      after.push(part(held, Math.max(held.start, claim.end), held.end));
    }
  }
  const middle = unlocks ? [] : [part(claim, start, end)];
  return { at, count, added: [...before, ...middle, ...after] };
}

/** True if the two are one lock where they touch. */
function isAlike(held: HeldLock, claim: Claim): boolean {
  return held.exclusive === claim.exclusive &&
    held.descriptor === claim.descriptor;
}

/** A lock like `claim`, of another range. */
function part(claim: Claim, start: number, end: number): HeldLock {
  const { file, owner, descriptor, exclusive } = claim;
  return { file, owner, descriptor, exclusive, start, end, id: ++lastId };
}

/** Index of the first lock of a list that ends at `start` or behind it. */
function firstReaching(list: readonly HeldLock[], start: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle].end < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** True if a lock of a list conflicts with `claim`, of another owner. */
export function isAmong(list: readonly HeldLock[], claim: Claim): boolean {
  for (let i = firstReaching(list, claim.start); i < list.length; i++) {
    if (list[i].start >= claim.end) return false;
    if (conflicts(list[i], claim)) return true;
  }
  return false;
}
