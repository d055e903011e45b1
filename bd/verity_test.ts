import assert from "node:assert/strict";
import { HostileDevice } from "../tests/support/hostile.ts";
import { hex } from "../tests/support/naive_tree.ts";
import { Random } from "../tests/support/random.ts";
import {
  TREE_KINDS,
  type TreeKind,
  type VerityShape,
  VeritySpecimen,
} from "../tests/support/verity.ts";
import { type BlockDevice, IntegrityError } from "./block_device.ts";
import { HASH_ALGORITHMS } from "./hmac.ts";
import { MemoryDevice } from "./memory.ts";
import { MemoryFile } from "./memory_file.ts";
import type { TrustedState } from "./trusted_state.ts";
import { pagedTreeBytes } from "./open_verity.ts";
import type { VerityDevice } from "./verity.ts";

const SIZE = 1024;

function read(device: BlockDevice, block: number, count = 1): Uint8Array {
  const into = new Uint8Array(count * device.blockSize).fill(0xee);
  device.read(block, into);
  return into;
}

/** Writes random runs to a device, and notes them in its model. */
function writeSome(
  specimen: VeritySpecimen,
  device: VerityDevice,
  random: Random,
): void {
  for (let writes = random.below(10); writes > 0; writes--) {
    const block = random.below(device.blockCount);
    const count = 1 + random.below(Math.min(20, device.blockCount - block));
    const bytes = random.bytes(count * device.blockSize);
    device.write(block, bytes);
    specimen.note(block, bytes);
  }
}

function checkSome(
  specimen: VeritySpecimen,
  device: VerityDevice,
  random: Random,
): void {
  for (let reads = 0; reads < 10; reads++) {
    const block = random.below(device.blockCount);
    const count = 1 + random.below(Math.min(20, device.blockCount - block));
    const expected = specimen.expected(block, count);
    assert.deepEqual(read(device, block, count), expected);
  }
}

/** Writes, reads, flushes and opens at random. */
async function walk(shape: VerityShape, rounds: number): Promise<void> {
  const random = new Random(shape.blocks);
  const specimen = new VeritySpecimen(shape);
  let device = specimen.open();
  for (let round = 0; round < rounds; round++) {
    writeSome(specimen, device, random);
    checkSome(specimen, device, random);
    await device.flush();
    assert.equal(hex(specimen.state.root), hex(specimen.root()));
    assert.deepEqual(device.state, specimen.state);
    if (random.chance(0.4)) {
      device.close();
      device = specimen.open();
    }
  }
  assert.deepEqual(specimen.tree.bytes, specimen.naiveTree());
  assert.equal(device.statistics.failures, 0);
}

for (const kind of TREE_KINDS) {
  Deno.test(`${kind}: contents, root and tree are right, reopened or not`, async () => {
    for (const blocks of [1, 2, 3, 5, 7, 8, 63, 64, 65, 100, 4095, 4097]) {
      await walk({ kind, blocks }, blocks < 1000 ? 10 : 3);
    }
    await walk({ kind, blocks: 70, blockSize: 2048 }, 5);
    await walk({ kind, blocks: 70, blockSize: 4096 }, 5);
  });
}

Deno.test("every hash makes a device, with a key and without", async () => {
  for (const algorithm of HASH_ALGORITHMS) {
    const shape = { kind: "array", blocks: 77, algorithm } as const;
    await walk(shape, 6);
    await walk({ ...shape, plain: true }, 6);
  }
});

Deno.test("a tree far larger than its cache is right all the same", async () => {
  await walk({ kind: "array", blocks: 100_003, algorithm: "md5" }, 12);
  await walk({ kind: "pages", blocks: 100_003 }, 12);
});

Deno.test("a warm read hashes no node, and reads no tree", () => {
  for (const kind of TREE_KINDS) {
    const specimen = new VeritySpecimen({ kind, blocks: 300 });
    const device = specimen.open();
    read(device, 17);
    const { nodesHashed, treeReads } = device.statistics;
    read(device, 17);
    read(device, 17);
    assert.equal(device.statistics.nodesHashed, nodesHashed);
    assert.equal(device.statistics.treeReads, treeReads);
  }
});

/** A device of 100 blocks, written and flushed; block 40 is damaged then. */
async function damaged(
  kind: TreeKind,
  log?: (message: string) => void,
): Promise<{ specimen: VeritySpecimen; device: VerityDevice }> {
  const specimen = new VeritySpecimen({ kind, blocks: 100 });
  const bytes = new Random(1).bytes(100 * SIZE);
  const first = specimen.open();
  first.write(0, bytes);
  specimen.note(0, bytes);
  await first.flush();
  const block = specimen.expected(40);
  block[1000] ^= 0x10;
  specimen.image.write(40, block);
  return { specimen, device: specimen.open({ log }) };
}

Deno.test("a bad block fails the reads that touch it, and no other", async () => {
  for (const kind of TREE_KINDS) {
    const lines: string[] = [];
    const { specimen, device } = await damaged(kind, (line) => {
      lines.push(line);
    });
    for (const [block, count] of [[40, 1], [30, 20], [40, 5], [38, 3]]) {
      const into = new Uint8Array(count * SIZE).fill(0xee);
      assert.throws(() => device.read(block, into), {
        name: "IntegrityError",
        code: "EIO",
        block: 40,
      });
      // Nothing comes out, not even what did verify.
      assert.deepEqual(into, new Uint8Array(count * SIZE));
    }
    for (const [block, count] of [[0, 40], [41, 59], [39, 1], [41, 1]]) {
      const expected = specimen.expected(block, count);
      assert.deepEqual(read(device, block, count), expected);
    }
    assert.equal(device.statistics.failures, 4);
    assert.equal(lines.length, 4);
    for (const line of lines) assert.match(line, /block 40\b/);
    // A new content heals it.
    const bytes = new Uint8Array(SIZE).fill(7);
    device.write(40, bytes);
    specimen.note(40, bytes);
    assert.deepEqual(read(device, 0, 100), specimen.expected(0, 100));
    await device.flush();
    assert.equal(hex(specimen.state.root), hex(specimen.root()));
  }
});

Deno.test("a write over a damaged tree is refused before it changes anything", () => {
  for (const kind of TREE_KINDS) {
    const specimen = new VeritySpecimen({ kind, blocks: 100 });
    const device = specimen.open();
    const image = specimen.image.copy();
    // The last leaf's node: it is the sibling of the one before.
    specimen.tree.bytes.fill(0xcc, specimen.tree.size - 32);
    if (kind === "pages") specimen.tree.bytes.fill(0xcc, 2 * 4096);
    const tree = specimen.tree.bytes.slice();
    const bytes = new Uint8Array(3 * SIZE).fill(9);
    const writes = [() => device.write(97, bytes), () => device.admitWrite(99)];
    for (const write of writes) assert.throws(write, IntegrityError);
    assert.deepEqual(specimen.tree.bytes, tree);
    for (let block = 90; block < 100; block++) {
      assert.deepEqual(read(specimen.image, block), read(image, block));
    }
    assert.equal(device.statistics.failures, 2);
    device.admitWrite(5);
    device.write(5, bytes);
    assert.deepEqual(read(device, 5, 3), bytes);
  }
});

Deno.test("what was never written reads as zeros, whatever is stored there", async () => {
  const specimen = new VeritySpecimen({ kind: "pages", blocks: 5000 });
  const image = new HostileDevice(specimen.image);
  image.tamper = () => assert.fail("the image was read");
  const device = specimen.open({ image });
  assert.deepEqual(read(device, 100, 50), new Uint8Array(50 * SIZE));
  assert.equal(device.nextUsed(0), 5000);
  const bytes = new Random(2).bytes(SIZE);
  device.write(120, bytes);
  assert.equal(device.nextUsed(0), 120);
  image.tamper = (position, bytes) => {
    assert.deepEqual([position, bytes.length], [120 * SIZE, SIZE]);
  };
  specimen.note(120, bytes);
  assert.deepEqual(read(device, 100, 50), specimen.expected(100, 50));
  await device.flush();
  assert.deepEqual(read(specimen.open(), 100, 50), specimen.expected(100, 50));
  // Zeros that were written are written.
  device.write(3000, new Uint8Array(SIZE));
  assert.equal(device.nextUsed(121), 3000);
});

Deno.test("a device that does not fit the trusted state is refused", () => {
  for (const kind of TREE_KINDS) {
    const specimen = new VeritySpecimen({ kind, blocks: 100 });
    const { state } = specimen;
    const open = (other: Partial<TrustedState>): unknown =>
      specimen.open({ state: { ...state, ...other } });
    assert.throws(() => open({ leafCount: 99 }), IntegrityError);
    assert.throws(() => open({ leafCount: 101 }), IntegrityError);
    assert.throws(() => open({ blockSize: 2048 }), { code: "EINVAL" });
    assert.throws(() => open({ root: new Uint8Array(20) }), {
      code: "EINVAL",
    });
    assert.throws(() => open({ algorithm: "sha512" }), { name: /Error/ });
    for (const blocks of [99, 101]) {
      const image = new MemoryDevice(SIZE, blocks);
      assert.throws(() => specimen.open({ image }), IntegrityError);
    }
    // Another root opens, and nothing verifies.
    const root = state.root.slice();
    root[3] ^= 1;
    const device = specimen.open({ state: { ...state, root } });
    assert.throws(() => read(device, 0), IntegrityError);
  }
});

Deno.test("blocks outside the device are refused, and a closed device too", async () => {
  for (const kind of TREE_KINDS) {
    const device = new VeritySpecimen({ kind, blocks: 10 }).open();
    for (const block of [-1, 0.5, 10, 2 ** 40, NaN]) {
      assert.throws(() => read(device, block), { code: "EINVAL" });
      const bytes = new Uint8Array(SIZE);
      assert.throws(() => device.write(block, bytes), { code: "EINVAL" });
      assert.throws(() => device.admitWrite(block), { code: "EINVAL" });
    }
    const uneven = new Uint8Array(SIZE + 1);
    assert.throws(() => device.read(0, uneven), { code: "EINVAL" });
    device.write(0, new Uint8Array(SIZE).fill(1));
    device.close();
    device.close();
    assert.throws(() => read(device, 0), { code: "EBADF" });
    assert.throws(() => device.admitWrite(0), { code: "EBADF" });
    const bytes = new Uint8Array(SIZE);
    assert.throws(() => device.write(0, bytes), { code: "EBADF" });
    await assert.rejects(device.flush(), { code: "EBADF" });
  }
});

Deno.test("checkLeaf() and readStored() let a caller verify in its own way", async () => {
  const { specimen, device } = await damaged("array");
  const stored = new Uint8Array(SIZE);
  device.readStored(40, stored);
  assert.notDeepEqual(stored, specimen.expected(40));
  const leaf = (block: number): Uint8Array => {
    const at = (100 + block - 1) * 32;
    return specimen.tree.bytes.slice(at, at + 32);
  };
  assert.ok(device.checkLeaf(40, leaf(40)));
  assert.ok(!device.checkLeaf(40, leaf(41)));
  assert.equal(device.statistics.failures, 0);
});

Deno.test("a read-only device verifies, and has nothing to publish", async () => {
  const specimen = new VeritySpecimen({ kind: "array", blocks: 10 });
  const image: BlockDevice = new MemoryDevice(SIZE, 10);
  const device = specimen.open({
    image: Object.assign(image, { readOnly: true }),
  });
  assert.equal(device.readOnly, true);
  read(device, 3);
  await device.flush();
  assert.deepEqual(specimen.published, []);
});

Deno.test("the size of a tree of pages is known before it is made", () => {
  for (const blocks of [1, 64, 65, 5000]) {
    const file = new MemoryFile(pagedTreeBytes(blocks));
    const specimen = new VeritySpecimen({ kind: "pages", blocks });
    assert.equal(specimen.tree.size, file.size);
    assert.deepEqual(
      read(specimen.open({ tree: file }), 0),
      new Uint8Array(SIZE),
    );
  }
});
