import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { crc32 } from "node:zlib";
import {
  BLOCK,
  filled,
  FIRST,
  formatOf,
  KEY,
  NODE,
} from "../../tests/support/journal_specimen.ts";
import { MemoryFile } from "../memory_file.ts";
import { Slices } from "../slices.ts";
import {
  type Contents,
  readRecord,
  recordBytes,
  type RecordFormat,
  writeRecord,
} from "./record.ts";
import { Ring } from "./ring.ts";
import { encodeState, STATE_BYTES, type VolumeState } from "./state.ts";

const NEXT: VolumeState = { ...FIRST, generation: 8, root: filled(32, 0x99) };

/** Blocks of 1s, 2s … and nodes of 101s, 102s … with these numbers. */
function contentsOf(
  blocks: readonly number[],
  nodes: readonly number[],
): Contents {
  return {
    blocks: new Map(blocks.map((key, i) => [key, filled(BLOCK, i + 1)])),
    nodes: new Map(nodes.map((key, i) => [key, filled(NODE, i + 101)])),
  };
}

const CONTENTS = contentsOf([0, 5, 4_294_967_295], [2, 2 ** 33 + 1]);

/** A ring of `size` bytes of noise, with a record at `position`. */
async function written(
  { contents = CONTENTS, position = 0, size = 16 << 10, isKeyed = true }: {
    contents?: Contents;
    position?: number;
    size?: number;
    isKeyed?: boolean;
  } = {},
): Promise<{
  file: MemoryFile;
  ring: Ring;
  state: VolumeState;
  format: RecordFormat;
}> {
  const file = new MemoryFile(size);
  file.bytes.fill(0xee);
  const ring = new Ring(file, 0);
  const format = formatOf(isKeyed);
  const what = { position, state: NEXT, contents };
  const slices = new Slices();
  const state = await writeRecord(ring, what, { format, slices });
  return { file, ring, state, format };
}

for (const isKeyed of [true, false]) {
  const how = isKeyed ? "HMAC-SHA-256" : "SHA-256 and CRC-32";
  Deno.test(`a record is laid out as formats.md says, under ${how}`, async () => {
    const { file, state } = await written({ isKeyed });
    // 12 bytes of numbers, 4 of padding, 16 of places, and padding to 512.
    const body = new Uint8Array(512 + 3584);
    const view = new DataView(body.buffer);
    view.setUint32(4, 5, true);
    view.setUint32(8, 4_294_967_295, true);
    view.setBigUint64(16, 2n, true);
    view.setBigUint64(24, 2n ** 33n + 1n, true);
    for (let i = 0; i < 3; i++) {
      body.fill(i + 1, 512 + i * 1024, 1536 + i * 1024);
    }
    body.fill(101, 3584, 3616);
    body.fill(102, 3616, 3648);
    const expected = new Uint8Array(512);
    const head = new DataView(expected.buffer);
    expected.set(new TextEncoder().encode("NXTRECRD"));
    head.setUint32(8, 1, true);
    head.setUint32(12, 1024, true);
    expected.fill(0x11, 16, 32);
    expected.fill(0x22, 32, 48);
    head.setBigUint64(48, 8n, true);
    head.setBigUint64(56, 100n, true);
    expected.fill(0x99, 64, 96);
    expected.fill(0x44, 96, 128);
    head.setUint32(216, 3, true);
    head.setUint32(220, 2, true);
    if (isKeyed) expected.set(createHash("sha256").update(body).digest(), 224);
    else head.setUint32(224, crc32(body), true);
    const mac = isKeyed ? createHmac("sha256", KEY) : createHash("sha256");
    expected.set(mac.update(expected.subarray(0, 480)).digest(), 480);
    assert.deepEqual(file.bytes.slice(0, 512), expected);
    assert.deepEqual(file.bytes.slice(512, 4608), body);
    assert.ok(file.bytes.subarray(4608).every((byte) => byte === 0xee));
    assert.deepEqual(state.chain, expected.slice(480));
  });
}

Deno.test("a record is read as it was written, from anywhere in the ring", async () => {
  const shapes = [
    [[], []],
    [[7], []],
    [[], [0]],
    [[0, 5, 9], [1, 2, 3, 4]],
    [Array.from({ length: 12 }, (_, i) => i * 3), [8]],
  ];
  for (const [blocks, nodes] of shapes) {
    const contents = contentsOf(blocks, nodes);
    for (let position = 0; position < 16 << 10; position += 2560) {
      const { ring, state, format } = await written({ contents, position });
      const found = readRecord(ring, position, { before: FIRST, format })!;
      assert.deepEqual(found.contents, contents);
      assert.deepEqual(found.state.root, NEXT.root);
      assert.deepEqual(found.state.chain, state.chain);
      const counts = { blocks: blocks.length, nodes: nodes.length };
      assert.equal(found.byteLength, recordBytes(counts, format));
    }
  }
});

Deno.test("a record of several pieces is read as it was written", async () => {
  const numbers = Array.from({ length: 2500 }, (_, i) => i);
  for (const count of [1022, 1023, 1024, 2047, 2500]) {
    const contents = contentsOf(numbers.slice(0, count), numbers);
    const size = 4 << 20;
    const position = size - 512 * 777;
    const { ring, format } = await written({ contents, size, position });
    const found = readRecord(ring, position, { before: FIRST, format })!;
    assert.equal(found.contents.blocks.size, count);
    for (const [key, bytes] of contents.blocks) {
      assert.deepEqual(found.contents.blocks.get(key), bytes);
    }
    assert.deepEqual(found.contents.nodes.get(2499), filled(NODE, 2600));
  }
});

Deno.test("a record of which any one sector is old or zeros is none", async () => {
  for (const isKeyed of [true, false]) {
    for (const position of [0, 14 << 10]) {
      const { file, ring, format } = await written({ position, isKeyed });
      const byteLength = recordBytes({ blocks: 3, nodes: 2 }, format);
      const isThere = (): boolean =>
        readRecord(ring, position, { before: FIRST, format }) !== null;
      assert.ok(isThere());
      for (let done = 0; done < byteLength; done += 512) {
        const at = ring.advance(position, done);
        const sector = file.bytes.slice(at, at + 512);
        for (const fill of [0, 0xee]) {
          file.bytes.fill(fill, at, at + 512);
          assert.ok(!isThere(), `sector ${done / 512}`);
        }
        file.bytes.set(sector, at);
      }
      assert.ok(isThere());
    }
  }
});

Deno.test("a record follows one state only", async () => {
  const { ring, format } = await written();
  const others: Partial<VolumeState>[] = [
    { generation: 6 },
    { generation: 8 },
    { blockSize: 2048 },
    { leafCount: 101 },
    { id: filled(16, 9) },
    { epoch: filled(16, 9) },
    { chain: filled(32, 9) },
  ];
  for (const other of others) {
    const before = { ...FIRST, ...other };
    const found = readRecord(ring, 0, { before, format });
    assert.equal(found, null, Object.keys(other)[0]);
  }
  // Neither the root nor the descriptor is what it follows by.
  const before = { ...FIRST, root: filled(32, 9), descriptor: filled(32, 9) };
  assert.notEqual(readRecord(ring, 0, { before, format }), null);
});

Deno.test("counts that nobody signed take no memory", () => {
  const size = 64 << 10;
  const cases = [
    [2 ** 32 - 1, 0],
    [0, 2 ** 32 - 1],
    [2 ** 32 - 1, 2 ** 32 - 1],
    [64, 0],
    [63, 1],
  ];
  for (const nodeBytes of [NODE, 0]) {
    const format = { ...formatOf(false), nodeBytes };
    for (const [blocks, nodes] of cases) {
      const file = new MemoryFile(size);
      const counts = { blocks, nodes, body: new Uint8Array(32) };
      const head = encodeState("record", { ...NEXT, ...counts }, format.mac);
      assert.equal(head.length, STATE_BYTES);
      file.bytes.set(head);
      const ring = new Ring(file, 0);
      assert.equal(readRecord(ring, 0, { before: FIRST, format }), null);
    }
  }
});

Deno.test("a record without a tree has no nodes, whatever it says", () => {
  const format = { ...formatOf(false), nodeBytes: 0 };
  const file = new MemoryFile(64 << 10);
  const nodes = 1000;
  const byteLength = recordBytes({ blocks: 0, nodes }, format);
  const body = new Uint8Array(32);
  const bytes = file.bytes.subarray(STATE_BYTES, byteLength);
  new DataView(body.buffer).setUint32(0, crc32(bytes), true);
  const state = { ...NEXT, blocks: 0, nodes, body };
  file.bytes.set(encodeState("record", state, format.mac));
  const ring = new Ring(file, 0);
  assert.equal(readRecord(ring, 0, { before: FIRST, format }), null);
});
