import assert from "node:assert/strict";
import { RollbackError } from "../journal/errors.ts";
import type { VolumeState } from "../journal/state.ts";
import { findPresent, rootDigest } from "./present_state.ts";

const root = (number: number): Uint8Array => new Uint8Array(32).fill(number);

/** A chain of states with these roots, of generations 10, 11, and so on. */
function chain(...roots: number[]): VolumeState[] {
  return roots.map((number, i) => ({
    blockSize: 4096,
    id: new Uint8Array(16),
    epoch: new Uint8Array(16),
    generation: 10 + i,
    leafCount: 100,
    root: root(number),
    descriptor: rootDigest(root(7)),
    nextDescriptor: new Uint8Array(32),
    unfinished: 0,
    chain: new Uint8Array(32),
  }));
}

const FILE = { file: "x.root", isKeyed: true };
const KEYED = { file: null, isKeyed: true };
const PLAIN = { file: null, isKeyed: false };

/** What is found in `states` by the root of this number. */
function find(
  states: VolumeState[],
  number: number,
  { file, isKeyed }: { file: string | null; isKeyed: boolean },
): ReturnType<typeof findPresent> {
  return findPresent(states, {
    trusted: { root: root(number), file },
    isKeyed,
  });
}

Deno.test("without a tree, the last state is the present one", () => {
  const options = { trusted: null, isKeyed: false };
  const found = findPresent(chain(0, 0, 0), options);
  assert.deepEqual(found, { index: 2, isAhead: true, givenUp: null });
  assert.equal(findPresent(chain(0), options)?.isAhead, false);
});

Deno.test("a root file has the last root, or that of the state before", () => {
  const states = chain(1, 2, 1, 3);
  const at = (number: number): number | undefined =>
    find(states, number, FILE)?.index;
  assert.deepEqual([at(3), at(1)], [3, 2]);
  assert.throws(
    () => find(states, 2, FILE),
    (error) =>
      error instanceof RollbackError && error.isAcceptable &&
      /generation 13, and x.root has the root of 11: the root/.test(
        error.message,
      ),
  );
  assert.equal(find(chain(1, 2), 1, FILE)?.isAhead, false);
});

Deno.test("with a password, the last state of ROOT's history is taken", () => {
  for (const number of [1, 2, 3]) {
    const found = find(chain(1, 2, 3), number, KEYED);
    assert.deepEqual(found, { index: 2, isAhead: true, givenUp: null });
  }
  // It was opened by this one, which the checkpoint has gone past since.
  assert.equal(find(chain(1, 2, 3), 7, KEYED)?.index, 2);
  assert.equal(find(chain(3), 7, KEYED)?.isAhead, true);
  assert.equal(find(chain(3), 3, KEYED)?.isAhead, false);
});

Deno.test("without a password, ROOT's own state is taken", () => {
  const found = find(chain(1, 2, 3), 2, PLAIN);
  assert.deepEqual(found, { index: 1, isAhead: true, givenUp: 12 });
  assert.equal(find(chain(1, 2), 1, PLAIN)?.isAhead, true);
  assert.equal(find(chain(1), 1, PLAIN)?.isAhead, false);
  assert.throws(() => find(chain(1, 2), 7, PLAIN), RollbackError);
});

Deno.test("a journal of another root says nothing, or that it was put back", () => {
  for (const trust of [FILE, KEYED, PLAIN]) {
    assert.equal(find(chain(1), 4, trust), null);
    assert.throws(
      () => find(chain(1, 2), 4, trust),
      (error) =>
        error instanceof RollbackError && error.isAcceptable &&
        /at generation 11, whose root is not the one/.test(error.message),
    );
  }
});

Deno.test("a generation is accepted if it is there", () => {
  const trusted = { root: root(9), file: "x.root" };
  const accept = (accept: number): ReturnType<typeof findPresent> =>
    findPresent(chain(1, 2), { trusted, isKeyed: true, accept });
  assert.deepEqual([10, 11].map((one) => accept(one)?.index), [0, 1]);
  assert.throws(() => accept(12), /at generation 11, and --accept.* says 12/);
});
