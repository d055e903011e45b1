import assert from "node:assert/strict";
import { VeritySpecimen } from "../tests/support/verity.ts";
import type { ByteFile } from "./byte_file.ts";
import { FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";
import { MemoryFile } from "./memory_file.ts";
import type { LeafRange } from "./tree_errors.ts";
import { OverlayDevice } from "./overlay.ts";
import { sparseCopy } from "./sparse_copy.ts";

const BLOCK = 1024;
const filled = (byte: number, count = 1): Uint8Array =>
  new Uint8Array(count * BLOCK).fill(byte);

/** A file that remembers what was written. */
class Recorder extends MemoryFile {
  readonly writes: [number, number][] = [];

  override writeAt(position: number, from: Uint8Array): void {
    this.writes.push([position / BLOCK, from.length / BLOCK]);
    super.writeAt(position, from);
  }
}

function never(): never {
  throw new Error("no block is bad");
}

Deno.test("sparseCopy() copies all and writes no block of zeros", async () => {
  const device = new MemoryDevice(BLOCK, 3000);
  device.write(0, filled(1));
  device.write(7, filled(2, 3));
  // One word of the block's last is enough.
  device.write(1030, filled(0).with(BLOCK - 1, 9));
  device.write(2999, filled(3));
  const file = new Recorder(3000 * BLOCK);
  let copied = 0;
  await sparseCopy(device, file, {
    bad: never,
    progress: (step) => void (copied += step.copied),
  });
  const all = filled(0, 3000);
  device.read(0, all);
  assert.deepEqual(file.bytes, all);
  assert.deepEqual(file.writes, [[0, 1], [7, 3], [1030, 1], [2999, 1]]);
  assert.equal(copied, 3000);
});

Deno.test("sparseCopy() leaves zeros for blocks that cannot be read", async () => {
  const memory = new MemoryDevice(BLOCK, 100);
  memory.write(0, filled(5, 100));
  const device = new FaultyDevice(memory);
  device.rule = ({ block, count }) =>
    [10, 11, 50].some((bad) => block <= bad && bad < block + count)
      ? "EIO"
      : null;
  const file = new MemoryFile(100 * BLOCK);
  const bad: LeafRange[] = [];
  await sparseCopy(device, file, { bad: (range) => bad.push(range) });
  assert.deepEqual(bad.map(({ first, count }) => [first, count]), [
    [10, 1],
    [11, 1],
    [50, 1],
  ]);
  const expected = filled(5, 100);
  expected.fill(0, 10 * BLOCK, 12 * BLOCK).fill(0, 50 * BLOCK, 51 * BLOCK);
  assert.deepEqual(file.bytes, expected);
  const throwing = sparseCopy(device, file as ByteFile, {
    bad: (_, error) => {
      throw error;
    },
  });
  await assert.rejects(throwing, { code: "EIO" });
  device.rule = () => "EBADF";
  await assert.rejects(sparseCopy(device, file, { bad: never }), {
    code: "EBADF",
  });
});

/** A sparse verified device, in parts written, and its damaged copy. */
async function verified(): Promise<VeritySpecimen> {
  const made = new VeritySpecimen({ kind: "pages", blocks: 100_000 });
  const device = made.open();
  for (const block of [1, 2, 3, 5000, 5001, 5002, 99_999]) {
    device.write(block, filled(block % 255));
    made.note(block, filled(block % 255));
  }
  await device.flush();
  device.close();
  return made;
}

Deno.test("sparseCopy() does not read what was never written", async () => {
  const made = await verified();
  const image = new FaultyDevice(made.image);
  const verity = made.open({ image });
  const file = new Recorder(100_000 * BLOCK);
  let skipped = 0;
  await sparseCopy(verity, file, {
    verity,
    bad: never,
    progress: (step) => void (skipped += step.skipped),
  });
  assert.deepEqual(file.writes, [[1, 3], [5000, 3], [99_999, 1]]);
  assert.equal(image.calls.read, 3);
  assert(skipped > 97_000, `${skipped}`);
  verity.close();
});

Deno.test("sparseCopy() passes over what a damaged tree leaves unverified, but not over the overlay", async () => {
  const made = await verified();
  // The second tier's page of blocks 4096 to 8191.
  made.tree.bytes.fill(9, 2 * 4096, 3 * 4096);
  const verity = made.open();
  const overlay = new OverlayDevice(verity);
  for (const block of [2, 4000, 5001, 7000, 60_000]) {
    overlay.write(block, filled(200));
  }
  const file = new MemoryFile(100_000 * BLOCK);
  let reads = 0;
  const bad: LeafRange[] = [];
  await sparseCopy(overlay, file, {
    verity,
    overlay,
    bad: (range) => {
      reads++;
      bad.push(range);
    },
  });
  const at = (block: number): number => file.bytes[block * BLOCK];
  assert.deepEqual([1, 2, 3, 4000].map(at), [1, 200, 3, 200]);
  assert.deepEqual([5000, 5001, 5002, 7000].map(at), [0, 200, 0, 200]);
  assert.deepEqual([60_000, 99_999].map(at), [200, 99_999 % 255]);
  const total = bad.reduce((sum, { count }) => sum + count, 0);
  assert.equal(total, 4096 - 2);
  assert(reads < 20, `${reads}`);
  overlay.close();
});
