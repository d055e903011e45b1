/**
 * Random walks of the lock table beside a model that looks at every byte and
 * every waiting request after each step.
 *
 * @module
 */

import assert from "node:assert/strict";
import { FsError } from "../fs/errors.ts";
import { Random } from "../tests/support/random.ts";
import { type LockRequest, LockTable } from "./locks.ts";

/** Bytes that the model knows; the last stands for all that follow. */
const BYTES = 12;
/** Ranges and waits that a session may have. */
const LIMIT = 7;
const FILES = [20, 21];
const KINDS = ["unlocked", "shared", "exclusive"] as const;

/** What an owner has of a byte: kind and descriptor, or "". */
type Cell = string;

interface ModelOwner {
  readonly session: { readonly name: number };
  readonly number: number;
  /** By file and byte. */
  readonly cells: Cell[][];
}

interface ModelWait {
  readonly owner: ModelOwner;
  readonly request: LockRequest;
  readonly controller: AbortController;
}

class Model {
  readonly owners: ModelOwner[] = [];
  waits: ModelWait[] = [];

  constructor() {
    for (const name of [0, 1, 2]) {
      const session = { name };
      for (const number of [1, 2]) {
        const cells = FILES.map(() => new Array<Cell>(BYTES).fill(""));
        this.owners.push({ session, number, cells });
      }
    }
  }

  count(session: object): number {
    let count =
      this.waits.filter((one) => one.owner.session === session).length;
    for (const owner of this.owners) {
      if (owner.session !== session) continue;
      for (const cells of owner.cells) {
        cells.forEach((cell, i) => {
          if (cell !== "" && cell !== cells[i - 1]) count++;
        });
      }
    }
    return count;
  }

  /** Changes what an owner has; false if its session would have too much. */
  apply(owner: ModelOwner, request: LockRequest): boolean {
    const cells = owner.cells[FILES.indexOf(request.ino)];
    const before = [...cells];
    const count = this.count(owner.session);
    const { kind, descriptor } = request;
    for (const i of bytesOf(request)) {
      cells[i] = kind === "unlocked" ? "" : `${kind} ${descriptor}`;
    }
    const after = this.count(owner.session);
    if (after <= LIMIT || after <= count) return true;
    before.forEach((cell, i) => cells[i] = cell);
    return false;
  }

  /** Owners whose locks are in the way. */
  blockers(owner: ModelOwner, request: LockRequest): ModelOwner[] {
    const file = FILES.indexOf(request.ino);
    return this.owners.filter((other) =>
      other !== owner && bytesOf(request).some((i) => {
        const cell = other.cells[file][i];
        return cell.startsWith("exclusive") ||
          cell !== "" && request.kind === "exclusive";
      })
    );
  }

  isBlocked(
    owner: ModelOwner,
    request: LockRequest,
    self?: ModelWait,
  ): boolean {
    if (this.blockers(owner, request).length > 0) return true;
    const end = self ? this.waits.indexOf(self) : this.waits.length;
    const isBehind = this.waits.slice(0, end).some((wait) =>
      wait.owner !== owner && wait.request.ino === request.ino &&
      (wait.request.kind === "exclusive" || request.kind === "exclusive") &&
      bytesOf(request).some((i) => bytesOf(wait.request).includes(i))
    );
    return isBehind &&
      !this.waits.some((wait) =>
        this.blockers(wait.owner, wait.request).includes(owner)
      );
  }

  /** True if waiting would close a ring. */
  closesRing(owner: ModelOwner, request: LockRequest): boolean {
    const seen = new Set<ModelOwner>();
    const leadsBack = (next: ModelOwner): boolean => {
      if (next === owner) return true;
      if (seen.has(next)) return false;
      seen.add(next);
      return this.waits.some((wait) =>
        wait.owner === next &&
        this.blockers(next, wait.request).some(leadsBack)
      );
    };
    return this.blockers(owner, request).some(leadsBack);
  }

  /** What asking for a lock is answered with. */
  expected(owner: ModelOwner, request: LockRequest, wait: boolean): string {
    if (request.kind === "unlocked" || !this.isBlocked(owner, request)) {
      return this.apply(owner, request) ? "" : "ENOLCK";
    }
    if (!wait) return "EAGAIN";
    if (this.count(owner.session) >= LIMIT) return "ENOLCK";
    return this.closesRing(owner, request) ? "EDEADLK" : "waits";
  }
}

function bytesOf({ start, length }: LockRequest): number[] {
  const end = length === 0 ? BYTES : start + length;
  return Array.from({ length: end - start }, (_, i) => start + i);
}

/** The table and its model, and what has been settled since the last step. */
class Walk {
  readonly table = new LockTable(LIMIT);
  readonly model = new Model();
  readonly outcomes = new Map<string, number>();
  settled: [ModelWait, string][] = [];

  constructor(readonly random: Random) {}

  async step(): Promise<void> {
    const { random, model, table } = this;
    const dice = random.below(100);
    if (dice < 80) this.#ask();
    else if (dice < 88 && model.waits.length > 0) {
      const wait = random.pick(model.waits);
      wait.controller.abort();
      model.waits = model.waits.filter((one) => one !== wait);
    } else if (dice < 96) {
      const { session } = random.pick(model.owners);
      const descriptor = 1 + random.below(2);
      table.releaseDescriptor(session, descriptor);
      this.#release(session, (one) => one === descriptor);
    } else {
      const { session } = random.pick(model.owners);
      table.releaseSession(session);
      this.#release(session, () => true);
    }
    // Two turns: one for a promise, and one for what follows it.
    await Promise.resolve();
    await Promise.resolve();
    this.#take();
    this.#compare();
  }

  #ask(): void {
    const { random, model, table } = this;
    const owner = random.pick(model.owners);
    const { session, number } = owner;
    const start = random.below(BYTES - 1);
    const length = random.chance(0.2) ? 0 : 1 + random.below(BYTES - 1 - start);
    const [ino, kind] = [random.pick(FILES), random.pick(KINDS)];
    const descriptor = 1 + random.below(2);
    const request = { ino, session, owner: number, descriptor, kind, start };
    const asked = { ...request, length };
    const wait = random.chance(0.6);
    const controller = new AbortController();
    const expected = model.expected(owner, asked, wait);
    let outcome = "";
    try {
      const { signal } = controller;
      const promise = table.set(asked, { wait, signal });
      if (promise !== null) {
        outcome = "waits";
        const one = { owner, request: asked, controller };
        model.waits.push(one);
        promise.then(
          () => this.settled.push([one, ""]),
          (error: FsError) => this.settled.push([one, error.code]),
        );
      }
    } catch (error) {
      assert.ok(error instanceof FsError);
      outcome = error.code;
    }
    assert.equal(outcome, expected);
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }

  #release(session: object, isMeant: (descriptor: number) => boolean): void {
    const { model } = this;
    for (const owner of model.owners) {
      if (owner.session !== session) continue;
      for (const cells of owner.cells) {
        cells.forEach((cell, i) => {
          if (isMeant(Number(cell.split(" ")[1]))) cells[i] = "";
        });
      }
    }
    model.waits = model.waits.filter(({ owner, request }) =>
      owner.session !== session || !isMeant(request.descriptor)
    );
  }

  /** Does in the model what the table says it has granted meanwhile. */
  #take(): void {
    const { model } = this;
    for (const [wait, outcome] of this.settled) {
      const { owner, request } = wait;
      this.outcomes.set(`then ${outcome}`, 1);
      if (outcome === "ECANCELED") {
        assert.ok(!model.waits.includes(wait));
        continue;
      }
      assert.ok(model.waits.includes(wait));
      assert.ok(!model.isBlocked(owner, request, wait), "granted too early");
      model.waits = model.waits.filter((one) => one !== wait);
      assert.equal(model.apply(owner, request) ? "" : "ENOLCK", outcome);
    }
    this.settled = [];
  }

  #compare(): void {
    const { model, table } = this;
    for (const wait of model.waits) {
      const { owner, request } = wait;
      assert.ok(model.isBlocked(owner, request, wait), "not granted");
    }
    for (const { session } of model.owners) {
      assert.equal(table.countOf(session), model.count(session));
    }
    const probe = { session: this, owner: 9, length: 1, exclusive: true };
    FILES.forEach((ino, file) => {
      for (let start = 0; start < BYTES; start++) {
        const found = table.test({ ...probe, ino, start });
        const cells = model.owners.map(({ cells }) => cells[file][start]);
        const isExclusive = cells.some((cell) => cell.startsWith("exclusive"));
        const isLocked = cells.some((cell) => cell !== "");
        assert.equal(found?.exclusive, isLocked ? isExclusive : undefined);
      }
    });
  }
}

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`the lock table does as a model does, seed ${seed}`, async () => {
    const walk = new Walk(new Random(seed));
    for (let i = 0; i < 6000; i++) await walk.step();
    const seen = [...walk.outcomes.keys()].sort();
    const all = ["", "EAGAIN", "EDEADLK", "ENOLCK", "waits"];
    const later = ["then ", "then ECANCELED", "then ENOLCK"];
    assert.deepEqual(seen, [...all, ...later].sort(), "the walk meets all");
    for (const { session } of walk.model.owners) {
      walk.table.releaseSession(session);
    }
    assert.ok(walk.table.isUnused);
  });
}
