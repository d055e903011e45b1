import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import {
  filled,
  FIRST,
  formatOf,
  KEY,
} from "../../tests/support/journal_specimen.ts";
import {
  decodeState,
  encodeState,
  isSameState,
  STATE_BYTES,
  STATE_FIELDS,
  STATE_MAGIC,
  type VolumeState,
} from "./state.ts";

const FULL = {
  ...FIRST,
  generation: 2 ** 52 + 3,
  leafCount: 2 ** 32 - 1,
  root: Uint8Array.from({ length: 64 }, (_, i) => 100 + i),
  nextDescriptor: filled(32, 0x55),
  unfinished: 1,
  chain: filled(32, 0x66),
  sequence: 2 ** 40 + 9,
  position: 512 * 77,
  blocks: 2 ** 32 - 1,
  nodes: 3,
  body: filled(32, 0x77),
};
const KINDS = Object.keys(STATE_MAGIC) as (keyof typeof STATE_MAGIC)[];

Deno.test("the fields of a state lie one behind the other, inside of it", () => {
  let end = 0;
  for (const [name, [at, size]] of Object.entries(STATE_FIELDS)) {
    assert.ok(at >= end, name);
    end = at + size;
  }
  assert.equal(end, STATE_BYTES);
});

Deno.test("a state is laid out as its table says, for each purpose", () => {
  for (const kind of KINDS) {
    const expected = new Uint8Array(512);
    const view = new DataView(expected.buffer);
    expected.set(new TextEncoder().encode(STATE_MAGIC[kind]));
    view.setUint32(8, 1, true);
    view.setUint32(12, 1024, true);
    expected.fill(0x11, 16, 32);
    expected.fill(0x22, 32, 48);
    view.setBigUint64(48, 2n ** 52n + 3n, true);
    view.setBigUint64(56, 2n ** 32n - 1n, true);
    expected.set(FULL.root.subarray(0, 32), 64);
    expected.fill(0x44, 96, 128);
    expected.fill(0x55, 128, 160);
    view.setUint32(160, 1, true);
    expected.fill(0x66, 168, 200);
    if (kind === "checkpoint") {
      view.setBigUint64(200, 2n ** 40n + 9n, true);
      view.setBigUint64(208, 512n * 77n, true);
    }
    if (kind === "record") {
      view.setUint32(216, 2 ** 32 - 1, true);
      view.setUint32(220, 3, true);
      expected.fill(0x77, 224, 256);
    }
    expected.set(FULL.root.subarray(32), 256);
    const signed = expected.subarray(0, 480);
    for (const isKeyed of [true, false]) {
      const hash = isKeyed ? createHmac("sha256", KEY) : createHash("sha256");
      expected.set(hash.update(signed).digest(), 480);
      const { mac } = formatOf(isKeyed);
      assert.deepEqual(encodeState(kind, FULL, mac), expected, kind);
    }
  }
});

Deno.test("a state is read as it was stored, with roots of any length", () => {
  const { mac } = formatOf();
  for (const rootBytes of [16, 20, 32, 48, 64]) {
    const root = FULL.root.slice(0, rootBytes);
    const bytes = encodeState("record", { ...FULL, root }, mac);
    const state = decodeState("record", bytes, { mac, rootBytes })!;
    const names = Object.keys(FIRST) as (keyof VolumeState)[];
    for (const name of [...names, "blocks", "nodes", "body"] as const) {
      const expected = name === "root" ? root : FULL[name];
      assert.deepEqual(state[name], expected, name);
    }
    assert.deepEqual([state.sequence, state.position], [0, 0]);
    assert.deepEqual(state.mac, bytes.slice(480));
  }
});

Deno.test("every changed bit, another key, purpose or length is no state", () => {
  const { mac } = formatOf();
  const bytes = encodeState("record", FULL, mac);
  for (let at = 0; at < STATE_BYTES; at++) {
    const changed = bytes.with(at, bytes[at] ^ 1 << at % 8);
    assert.equal(decodeState("record", changed, { mac }), null, `byte ${at}`);
  }
  assert.equal(decodeState("anchor", bytes, { mac }), null);
  const other = formatOf(false).mac;
  assert.equal(decodeState("record", bytes, { mac: other }), null);
  assert.equal(decodeState("record", bytes.subarray(1), { mac }), null);
  assert.equal(decodeState("record", new Uint8Array(), { mac: null }), null);
});

Deno.test("a number of 2^53 or more, or another version, is no state", () => {
  const bytes = encodeState("checkpoint", FULL, formatOf().mac);
  const view = new DataView(bytes.buffer);
  const fields = ["generation", "leafCount", "sequence", "position"] as const;
  for (const name of fields) {
    const [at] = STATE_FIELDS[name];
    const before = view.getBigUint64(at, true);
    for (const value of [2n ** 53n, 2n ** 64n - 1n]) {
      view.setBigUint64(at, value, true);
      assert.equal(decodeState("checkpoint", bytes, { mac: null }), null, name);
    }
    view.setBigUint64(at, before, true);
  }
  assert.notEqual(decodeState("checkpoint", bytes, { mac: null }), null);
  view.setUint32(8, 2, true);
  assert.equal(decodeState("checkpoint", bytes, { mac: null }), null);
});

Deno.test("states are the same if all but their epochs are", () => {
  assert.ok(isSameState(FULL, { ...FULL, epoch: filled(16, 9) }));
  const changes: Partial<VolumeState>[] = [
    { generation: 8 },
    { id: filled(16, 9) },
    { chain: filled(32, 9) },
    { root: filled(64, 9) },
    { descriptor: filled(32, 9) },
    { nextDescriptor: filled(32, 9) },
    { unfinished: 0 },
  ];
  for (const change of changes) {
    const [name] = Object.keys(change);
    assert.ok(!isSameState(FULL, { ...FULL, ...change }), name);
  }
});
