/**
 * The thread of a {@linkcode LeafHasher}: hashes the blocks of its slots, one
 * after the other, until it is told that there will be no more.
 *
 * @module
 */

import { createBlockHash } from "./hmac.ts";
import {
  hashBlocks,
  type SharedSlots,
  SLOT,
  WORKER_SLOTS,
  type WorkerStart,
} from "./leaf_hashing.ts";

/** What a worker has and the types of a main thread do not tell. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<WorkerStart>) => void) | null;
  close(): void;
}

function work({ settings, slots }: WorkerStart): void {
  const { algorithm, key, blockSize } = settings;
  const hash = createBlockHash(algorithm, key);
  key?.fill(0);
  Atomics.store(slots.ready, 0, 1);
  for (;;) {
    // What is filled after this look rings the bell again.
    const rung = Atomics.load(slots.bell, 0);
    if (rung < 0) break;
    let found = false;
    for (let slot = 0; slot < WORKER_SLOTS; slot++) {
      if (!take(slots, slot)) continue;
      found = true;
      const bytes = slots.blocks[slot].subarray(0, slots.lengths[slot]);
      hashBlocks(hash, { bytes, blockSize, digests: slots.digests[slot] });
      Atomics.store(slots.states, slot, SLOT.done);
      Atomics.notify(slots.states, slot);
    }
    if (!found) Atomics.wait(slots.bell, 0, rung);
  }
  hash.wipe();
}

/** Takes a slot on, if it is full and nobody else has. */
function take({ states }: SharedSlots, slot: number): boolean {
  const { full, busy } = SLOT;
  return Atomics.compareExchange(states, slot, full, busy) === full;
}

const scope = globalThis as unknown as WorkerScope;
scope.onmessage = ({ data }): void => {
  work(data);
  scope.close();
};
