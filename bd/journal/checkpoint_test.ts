import assert from "node:assert/strict";
import {
  filled,
  FIRST,
  formatOf,
} from "../../tests/support/journal_specimen.ts";
import { IntegrityError } from "../block_device.ts";
import { MemoryFile } from "../memory_file.ts";
import {
  Checkpoint,
  CHECKPOINT_SLOTS,
  createJournal,
  RING_START,
} from "./checkpoint.ts";
import { encodeState } from "./state.ts";

const HOW = { format: formatOf(), rootBytes: 32 };

/** A journal with the checkpoints 0 to `count`. */
async function journalOf(count: number): Promise<MemoryFile> {
  const file = new MemoryFile(RING_START + 4096);
  await createJournal(file, HOW.format, FIRST);
  const checkpoint = Checkpoint.open(file, HOW);
  for (let i = 1; i <= count; i++) {
    await checkpoint.store({ ...FIRST, generation: 7 + i }, 512 * i);
  }
  return file;
}

function numbers({ state }: Checkpoint): number[] {
  return [state.generation, state.sequence, state.position];
}

Deno.test("a checkpoint is a state in one of two places, by turns", async () => {
  for (let count = 0; count < 5; count++) {
    const file = await journalOf(count);
    const opened = Checkpoint.open(file, HOW);
    assert.deepEqual(numbers(opened), [7 + count, count, 512 * count]);
    const state = {
      ...FIRST,
      generation: 7 + count,
      sequence: count,
      position: 512 * count,
    };
    const at = CHECKPOINT_SLOTS[count % 2];
    assert.deepEqual(
      file.bytes.slice(at, at + 512),
      encodeState("checkpoint", state, HOW.format.mac),
    );
  }
});

Deno.test("a checkpoint that was cut short leaves the one before", async () => {
  const { bytes } = await journalOf(3);
  for (const length of [0, 1, 200, 479, 511]) {
    const torn = bytes.slice();
    torn.fill(0, 4096 + length, 4608);
    const opened = Checkpoint.open(new MemoryFile(torn), HOW);
    assert.deepEqual(numbers(opened), [9, 2, 1024]);
  }
});

Deno.test("a checkpoint counts only in its own place, and there must be one", async () => {
  const { bytes } = await journalOf(1);
  const refused = (changed: Uint8Array): void =>
    assert.throws(
      () => Checkpoint.open(new MemoryFile(changed), HOW),
      (error) =>
        error instanceof IntegrityError && /journal is not authentic/
          .test(error.message),
    );
  const swapped = bytes.slice();
  swapped.set(bytes.subarray(4096, 4608), 0);
  swapped.set(bytes.subarray(0, 512), 4096);
  refused(swapped);
  refused(new Uint8Array(RING_START + 4096));
  for (const length of [0, 100, 512, 4608, RING_START - 1]) {
    refused(bytes.slice(0, length));
  }
  const other = formatOf(false);
  assert.throws(
    () => Checkpoint.open(new MemoryFile(bytes), { ...HOW, format: other }),
    IntegrityError,
  );
});

Deno.test("a store that failed may be made again, in the same place", async () => {
  class Failing extends MemoryFile {
    isFailing = false;
    override sync(): Promise<void> {
      return this.isFailing ? Promise.reject(new Error("no")) : super.sync();
    }
  }
  const file = new Failing((await journalOf(2)).bytes);
  const checkpoint = Checkpoint.open(file, HOW);
  file.isFailing = true;
  const next = { ...FIRST, generation: 20, root: filled(32, 1) };
  await assert.rejects(checkpoint.store(next, 0), /no/);
  assert.deepEqual(numbers(checkpoint), [9, 2, 1024]);
  file.isFailing = false;
  await checkpoint.store({ ...next, generation: 21 }, 512);
  assert.deepEqual(numbers(Checkpoint.open(file, HOW)), [21, 3, 512]);
  assert.equal(
    Checkpoint.open(new MemoryFile(file.bytes.fill(0, 4096)), HOW).state
      .sequence,
    2,
  );
});
