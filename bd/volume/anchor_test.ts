import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { DeviceError } from "../block_device.ts";
import { MemoryFile } from "../memory_file.ts";
import { RollbackError } from "../journal/errors.ts";
import type { VolumeState } from "../journal/state.ts";
import { ANCHOR_BYTES, FileAnchor, latestAnchor } from "./anchor.ts";
import { VolumeIntegrityError } from "./errors.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const filled = (length: number, fill: number): Uint8Array =>
  new Uint8Array(length).fill(fill);

const FIRST: VolumeState = {
  generation: 1,
  blockSize: 4096,
  id: filled(16, 1),
  epoch: filled(16, 2),
  leafCount: 2 ** 32 + 5,
  root: filled(32, 3),
  descriptor: filled(32, 4),
  nextDescriptor: filled(32, 0),
  unfinished: 1,
  chain: filled(32, 5),
};

/** The state after `state`, with another root. */
function after(state: VolumeState, root: number): VolumeState {
  const generation = state.generation + 1;
  return { ...state, generation, root: filled(32, root) };
}

/** An anchor of two generations, in memory. */
async function twoGenerations(): Promise<MemoryFile> {
  const file = new MemoryFile(ANCHOR_BYTES);
  const anchor = await FileAnchor.create(file, KEY, FIRST);
  await anchor.store(FIRST, after(FIRST, 9));
  return file;
}

Deno.test("a slot is laid out as its table says, under HMAC-SHA-256", async () => {
  const file = new MemoryFile(ANCHOR_BYTES);
  await FileAnchor.create(file, KEY, FIRST);
  const expected = new Uint8Array(512);
  const view = new DataView(expected.buffer);
  expected.set(new TextEncoder().encode("NXTANCHR"));
  view.setUint32(8, 1, true);
  view.setUint32(12, 4096, true);
  expected.fill(1, 16, 32);
  expected.fill(2, 32, 48);
  view.setBigUint64(48, 1n, true);
  view.setBigUint64(56, 2n ** 32n + 5n, true);
  expected.fill(3, 64, 96);
  expected.fill(4, 96, 128);
  view.setUint32(160, 1, true);
  expected.fill(5, 168, 200);
  const mac = createHmac("sha256", KEY).update(expected.subarray(0, 480));
  expected.set(mac.digest(), 480);
  // The first generation is 1, and so goes into slot 1.
  assert.deepEqual(file.bytes.subarray(4096, 4608), expected);
  assert(file.bytes.subarray(0, 4096).every((byte) => byte === 0));
});

Deno.test("generations take turns, and the highest is the present one", async () => {
  const file = new MemoryFile(ANCHOR_BYTES);
  const anchor = await FileAnchor.create(file, KEY, FIRST);
  for (let generation = 2; generation < 6; generation++) {
    const next = after(anchor.state, generation);
    await anchor.store(anchor.state, next);
    const { state } = FileAnchor.open(new MemoryFile(file.bytes.slice()), KEY);
    for (const name of Object.keys(next) as (keyof VolumeState)[]) {
      assert.deepEqual(state[name], next[name], name);
    }
    assert.equal(state.generation, generation);
  }
});

Deno.test("a slot that was cut short leaves the state before it", async () => {
  const { bytes } = await twoGenerations();
  // Generation 2 is in slot 0.
  for (const length of [0, 1, 64, 300, 511]) {
    const torn = bytes.slice();
    torn.fill(0, length, 512);
    const { state } = FileAnchor.open(new MemoryFile(torn), KEY);
    assert.deepEqual([state.generation, state.root[0]], [1, 3], `${length}`);
  }
});

Deno.test("every changed byte of a slot makes it unauthentic", async () => {
  const { bytes } = await twoGenerations();
  for (let at = 0; at < 512; at++) {
    const changed = bytes.slice();
    changed[at] ^= 0x10;
    const { state } = FileAnchor.open(new MemoryFile(changed), KEY);
    assert.equal(state.generation, 1, `byte ${at}`);
    changed[4096 + at] ^= 0x10;
    assert.throws(
      () => FileAnchor.open(new MemoryFile(changed), KEY),
      VolumeIntegrityError,
    );
  }
});

Deno.test("a slot counts only in its own place", async () => {
  const { bytes } = await twoGenerations();
  const moved = bytes.slice();
  moved.copyWithin(0, 4096, 4608);
  moved.fill(0, 4096, 4608);
  assert.throws(
    () => FileAnchor.open(new MemoryFile(moved), KEY),
    /not authentic/,
  );
});

Deno.test("another key, an empty file and a wrong size are refused", async () => {
  const { bytes } = await twoGenerations();
  const other = filled(32, 7);
  assert.throws(
    () => FileAnchor.open(new MemoryFile(bytes), other),
    /authentic/,
  );
  const empty = new MemoryFile(ANCHOR_BYTES);
  assert.throws(() => FileAnchor.open(empty, KEY), VolumeIntegrityError);
  for (const size of [0, 4608, ANCHOR_BYTES - 1, ANCHOR_BYTES + 1]) {
    assert.throws(
      () => FileAnchor.open(new MemoryFile(size), KEY),
      new RegExp(`has ${size} bytes in place of 8192`),
    );
  }
});

Deno.test("without the key, a state can be shown but is not vouched for", async () => {
  const { bytes } = await twoGenerations();
  bytes[480] ^= 1;
  assert.equal(latestAnchor(bytes, null)?.generation, 2);
  assert.equal(latestAnchor(new Uint8Array(100), null), null);
});

/** A host that fails to sync while `isFailing`. */
class FailingFile extends MemoryFile {
  isFailing = true;

  override sync(): Promise<void> {
    if (!this.isFailing) return super.sync();
    return Promise.reject(new DeviceError("EIO", "Cannot sync"));
  }
}

Deno.test("a store of unknown outcome can be made again, and only that one", async () => {
  const file = new FailingFile((await twoGenerations()).bytes);
  const anchor = FileAnchor.open(file, KEY);
  const { state } = anchor;
  const next = after(state, 7);
  await assert.rejects(anchor.store(state, next), /Cannot sync/);
  assert.equal(anchor.state.generation, 2);
  file.isFailing = false;
  const before = file.bytes.slice();
  await assert.rejects(anchor.store(state, after(state, 8)), RollbackError);
  assert.deepEqual(file.bytes, before);
  await anchor.store(state, next);
  assert.deepEqual(anchor.state, next);
  anchor.close();
  await assert.rejects(anchor.store(next, after(next, 9)), { code: "EBADF" });
});

Deno.test("a state that somebody else has stored is not written over", async () => {
  const file = await twoGenerations();
  const anchor = FileAnchor.open(file, KEY);
  const other = FileAnchor.open(file, KEY);
  const { state } = anchor;
  for (const change of [after(state, 7), after(after(state, 7), 8)]) {
    await other.store(other.state, change);
    const before = file.bytes.slice();
    await assert.rejects(
      anchor.store(state, after(state, 9)),
      (error) => error instanceof RollbackError && /a copy/.test(error.message),
    );
    assert.deepEqual(file.bytes, before);
  }
  file.bytes.fill(0);
  await assert.rejects(anchor.store(state, after(state, 9)), RollbackError);
});
