/**
 * Advisory locks on byte ranges of files, for all clients of a server: those
 * of fcntl(2) and POSIX, with owners that the clients name.
 *
 * Invariants:
 * - No byte has an exclusive lock of one owner and any lock of another.
 * - Nobody waits who could be granted what it waits for, by the rules below.
 * - No owners wait for a lock of one another in a ring: whose waiting would
 *   close one is refused. (An owner can close one by taking a lock while it
 *   waits for another; it is not stuck, for it can give that lock up.)
 * - A session's count is that of the ranges its owners hold and of its waits,
 *   and not more than the limit.
 * - What is in no table any more (an owner, a file, a session) has neither
 *   locks nor waits.
 *
 * **Who waits.** A request waits while another owner holds a lock that
 * conflicts with it. It also waits, so that nobody waits for ever, behind
 * every conflicting request that came earlier and still waits; but not if
 * somebody waits for a lock that its own owner holds: whoever is waited for
 * must be able to get on. So a ring of owners that wait for each other's locks
 * is the only way to wait for ever.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import {
  changeOf,
  type Claim,
  conflicts,
  FileLocks,
  isAmong,
  type Owner,
  type SessionLocks,
  TO_THE_END,
  type Wait,
} from "./_file_locks.ts";

/** A range of a file, and who asks for it. */
export interface LockQuery {
  /** Inode number. */
  readonly ino: number;
  /** The session that asks: any object that stands for it alone. */
  readonly session: object;
  /** Whom it asks for: a number that the client chooses, 0 or more. */
  readonly owner: number;
  /** True for an exclusive lock, false for a shared one. */
  readonly exclusive: boolean;
  /** First byte. */
  readonly start: number;
  /** Number of bytes; 0 for all that follow, wherever the file may end. */
  readonly length: number;
}

/** What is to be done to a range. */
export interface LockRequest extends Omit<LockQuery, "exclusive"> {
  /** What the owner is to have there, whatever it had. */
  readonly kind: "unlocked" | "shared" | "exclusive";
  /** The descriptor with whose closing the lock ends. */
  readonly descriptor: number;
  /** Ranges and waits that the session may have, if not the table's limit. */
  readonly limit?: number;
}

/** A lock that is in the way of a request. */
export interface ConflictingLock {
  /** True if it is exclusive. */
  readonly exclusive: boolean;
  /** First byte. */
  readonly start: number;
  /** Number of bytes; 0 for all that follow. */
  readonly length: number;
  /** Its owner, if that is one of the session that asks; else 0. */
  readonly owner: number;
}

/** What to do where a lock cannot be had at once. */
export interface LockOptions {
  /** Wait for it; it is refused if absent. */
  wait?: boolean;
  /** Ends the waiting. */
  signal?: AbortSignal;
}

/**
 * Locks looked at to find out whether a wait can ever end. Where there are
 * more, waiting is refused: a search that clients can make as long as they
 * like would keep everybody else waiting.
 */
const SEARCH_MAX = 1 << 16;

/** See the module. */
export class LockTable {
  readonly #limit: number;
  readonly #files = new Map<number, FileLocks>();
  readonly #sessions = new Map<object, SessionLocks>();

  /** Each session may have `limit` ranges and waits, together. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * The first lock that keeps the asker from having one (`F_GETLK`), or null.
   * What others wait for is no lock. `EINVAL` for a range whose last byte
   * is beyond 2^53 − 1.
   */
  test(query: LockQuery): ConflictingLock | null {
    const end = endOf(query);
    const file = this.#files.get(query.ino);
    if (file === undefined) return null;
    const session = this.#sessions.get(query.session);
    const owner = session?.owners.get(query.owner) ?? null;
    const { start, exclusive } = query;
    const found = file.blocker({ owner, start, end, exclusive });
    if (found === null) return null;
    return {
      exclusive: found.exclusive,
      start: found.start,
      length: found.end === TO_THE_END ? 0 : found.end - found.start,
      owner: found.owner.session === session ? found.owner.number : 0,
    };
  }

  /**
   * Gives the owner a lock of the range, or takes its own away there
   * (`F_SETLK`); null if that is done. With `wait`, what cannot be done yet
   * becomes a promise that resolves when it is (`F_SETLKW`).
   *
   * Throws {@link FsError}, or rejects with it, and has changed nothing then:
   * `EAGAIN` if another owner's lock or earlier request is in the way and
   * `wait` is not set; `EDEADLK` if the wait could never end; `ENOLCK` beyond
   * the limits; `EINVAL` as {@link test}; `ECANCELED` if `signal`, or the
   * end of the descriptor or session, ends the waiting.
   */
  set(request: LockRequest, options: LockOptions = {}): Promise<void> | null {
    const { signal } = options;
    const claim = this.#claim(request);
    try {
      if (request.kind === "unlocked") {
        this.#apply(claim, true);
        return null;
      }
      if (!this.#isBlocked(claim)) {
        this.#apply(claim, false);
        return null;
      }
      if (!options.wait) {
        throw new FsError("EAGAIN", "another owner has a lock there");
      }
      if (signal?.aborted) throw canceled();
      return this.#wait(claim, signal);
    } finally {
      this.#forget(claim);
    }
  }

  /** Takes away what was locked through a descriptor; ends its waits. */
  releaseDescriptor(session: object, descriptor: number): void {
    this.#release(session, (claim) => claim.descriptor === descriptor);
  }

  /** Takes away all that a session has; ends its waits. */
  releaseSession(session: object): void {
    this.#release(session, () => true);
  }

  /** Number of ranges and waits of a session, as its limit counts them. */
  countOf(session: object): number {
    return this.#sessions.get(session)?.count ?? 0;
  }

  /** True if there are no locks and no waits at all. */
  get isUnused(): boolean {
    return this.#files.size === 0 && this.#sessions.size === 0;
  }

  /** What a request asks for; makes file, session and owner if need be. */
  #claim(request: LockRequest): Claim {
    const end = endOf(request);
    const { ino, descriptor, kind, start } = request;
    let session = this.#sessions.get(request.session);
    if (session === undefined) {
      session = {
        session: request.session,
        owners: new Map(),
        count: 0,
        limit: request.limit ?? this.#limit,
      };
      this.#sessions.set(request.session, session);
    }
    let owner = session.owners.get(request.owner);
    if (owner === undefined) {
      const number = request.owner;
      owner = { session, number, held: new Map(), waits: new Set() };
      session.owners.set(number, owner);
    }
    const file = this.#files.get(ino) ?? new FileLocks(ino);
    this.#files.set(ino, file);
    const exclusive = kind === "exclusive";
    return { file, owner, descriptor, exclusive, start, end };
  }

  /** Drops what a claim was made of, where it is not in use. */
  #forget({ file, owner }: Claim): void {
    const { session } = owner;
    if (file.isUnused) this.#files.delete(file.ino);
    if (owner.held.size > 0 || owner.waits.size > 0) return;
    session.owners.delete(owner.number);
    if (session.owners.size === 0) this.#sessions.delete(session.session);
  }

  /** True if `claim` cannot be granted yet; see the module. */
  #isBlocked(claim: Claim, self?: Wait): boolean {
    if (claim.file.blocker(claim) !== null) return true;
    for (const wait of claim.file.waits) {
      if (wait === self) return false;
      if (conflicts(wait, claim)) return !this.#isWaitedFor(claim.owner);
    }
    return false;
  }

  /** True if another owner waits for a lock that `owner` holds. */
  #isWaitedFor(owner: Owner): boolean {
    for (const [ino, list] of owner.held) {
      for (const wait of this.#files.get(ino)!.waits) {
        if (isAmong(list, wait)) return true;
      }
    }
    return false;
  }

  /** Sets or unlocks; grants what others wait for and can have now. */
  #apply(claim: Claim, unlocks: boolean): void {
    this.#change(claim, unlocks);
    // An upgrade makes room for nobody.
    if (unlocks || !claim.exclusive) this.#grant([claim]);
  }

  /** Changes what an owner holds. `ENOLCK`. */
  #change(claim: Claim, unlocks: boolean): void {
    const { file, owner } = claim;
    const change = changeOf(claim, unlocks);
    const growth = change.added.length - change.count;
    if (growth > 0) this.#checkRoom(owner.session, growth);
    file.replace(owner, change);
  }

  #checkRoom({ count, limit }: SessionLocks, growth: number): void {
    if (count + growth <= limit) return;
    throw new FsError(
      "ENOLCK",
      `a connection has at most ${limit}: unlock some`,
    );
  }

  /** Waits for a lock that another owner keeps from `claim`'s. */
  #wait(claim: Claim, signal?: AbortSignal): Promise<void> {
    const { file, owner } = claim;
    this.#checkRoom(owner.session, 1);
    const blockers = this.#checkRing(claim);
    return new Promise((resolve, reject) => {
      const abort = (): void => this.#cancel(wait);
      const settle = (error: Error | null): void => {
        signal?.removeEventListener("abort", abort);
        if (error) reject(error);
        else resolve();
      };
      const wait: Wait = { ...claim, settle };
      signal?.addEventListener("abort", abort);
      file.waits.add(wait);
      owner.waits.add(wait);
      owner.session.count++;
      // Those are waited for now, and need not stand behind others.
      this.#grant([...blockers].flatMap(({ waits }) => [...waits]));
    });
  }

  /**
   * Throws `EDEADLK` if somebody whose lock keeps `claim` from being granted
   * waits, over however many others, for a lock of the same owner. Returns
   * the owners of those locks that wait for something else.
   */
  #checkRing(claim: Claim): Set<Owner> {
    const waiting = new Set<Owner>();
    const seen = new Set<Owner>();
    const unseen: Claim[] = [claim];
    let steps = 0;
    for (let next = unseen.pop(); next !== undefined; next = unseen.pop()) {
      const isFirst = next === claim;
      next.file.blocker(next, ({ owner }) => {
        if (++steps > SEARCH_MAX) {
          throw new FsError("ENOLCK", "too many locks are being waited for");
        }
        if (owner === claim.owner) throw new FsError("EDEADLK");
        if (isFirst && owner.waits.size > 0) waiting.add(owner);
        if (!seen.has(owner)) unseen.push(...owner.waits);
        seen.add(owner);
        return false;
      });
    }
    return waiting;
  }

  /** Gives up a wait; those behind it may get on. */
  #cancel(wait: Wait): void {
    this.#remove(wait);
    wait.settle(canceled());
    this.#grant([wait]);
    this.#forget(wait);
  }

  #remove(wait: Wait): void {
    const { file, owner } = wait;
    file.waits.delete(wait);
    owner.waits.delete(wait);
    owner.session.count--;
  }

  /**
   * Grants every wait in reach of `places` that can be granted now: ranges
   * where something was taken away, and waits that somebody depends on.
   */
  #grant(places: Claim[]): void {
    for (let place = places.pop(); place; place = places.pop()) {
      const { file, start, end } = place;
      for (const wait of file.waits) {
        if (wait.start >= end || wait.end <= start) continue;
        if (this.#isBlocked(wait, wait)) continue;
        const isGranted = this.#grantOne(wait, places);
        const coversAll = wait.start <= start && wait.end >= end;
        // Others cannot get on now; its owner's waits are looked at by it.
        if (isGranted && wait.exclusive && coversAll) break;
      }
    }
  }

  /**
   * Grants a wait, or refuses it if its session has too many locks; adds to
   * `places` where others may get on because of it.
   */
  #grantOne(wait: Wait, places: Claim[]): boolean {
    this.#remove(wait);
    let failure: Error | null = null;
    try {
      this.#change(wait, false);
    } catch (error) {
      failure = error as Error;
    }
    wait.settle(failure);
    if (failure || !wait.exclusive) places.push(wait);
    // Those who stood behind it wait for its owner now: see `#isBlocked`.
    places.push(...wait.owner.waits);
    this.#forget(wait);
    return failure === null;
  }

  #release(key: object, isMeant: (claim: Claim) => boolean): void {
    const session = this.#sessions.get(key);
    if (session === undefined) return;
    const released: Claim[] = [];
    for (const owner of session.owners.values()) {
      for (const wait of owner.waits) {
        if (!isMeant(wait)) continue;
        this.#remove(wait);
        wait.settle(canceled());
        released.push(wait);
      }
      for (const [ino, list] of owner.held) {
        const gone = list.filter(isMeant);
        if (gone.length === 0) continue;
        const added = list.filter((held) => !isMeant(held));
        const file = this.#files.get(ino)!;
        file.replace(owner, { at: 0, count: list.length, added });
        released.push(...gone);
      }
    }
    this.#grant([...released]);
    for (const claim of released) this.#forget(claim);
  }
}

function canceled(): FsError {
  return new FsError("ECANCELED", "the lock is no longer waited for");
}

/** Where a range ends. */
function endOf({ start, length }: Pick<LockQuery, "start" | "length">): number {
  if (length === 0) return TO_THE_END;
  if (length <= TO_THE_END - start) return start + length;
  throw new FsError("EINVAL", "the range ends beyond byte 2^53 − 1");
}
