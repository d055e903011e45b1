/** Tests of the block store and of the sets that the check keeps. */

import assert from "node:assert/strict";
import { DeviceError } from "../../bd/block_device.ts";
import { FaultyDevice } from "../../bd/faulty.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { DirectoryTable } from "./_directory_table.ts";
import { SparseBits } from "./_sparse_bits.ts";
import { BlockStore } from "./_store.ts";

Deno.test("A change is on the device after the commit, and not before", async () => {
  const device = new MemoryDevice(1024, 64);
  const store = new BlockStore(device);
  store.modify(5).fill(7);
  const bytes = new Uint8Array(1024);
  device.read(5, bytes);
  assert.equal(bytes[0], 0);
  assert.equal(store.view(5)[0], 7);
  await store.commit();
  device.read(5, bytes);
  assert.equal(bytes[1023], 7);
  assert.equal(store.dirtyCount, 0);
});

Deno.test("What is discarded never was", () => {
  const store = new BlockStore(new MemoryDevice(1024, 64));
  store.modify(5).fill(7);
  store.discard();
  assert.equal(store.view(5)[0], 0);
});

Deno.test("A block that fails with EIO is unreadable until it is written", () => {
  const device = new FaultyDevice(new MemoryDevice(1024, 64));
  device.rule = ({ kind, block }) =>
    kind === "read" && block === 9 ? "EIO" : null;
  const store = new BlockStore(device, [{ start: 20, count: 2 }]);
  assert.equal(store.tryView(9), null);
  assert.ok(store.unreadable.has(9));
  assert.equal(store.tryView(21), null);
  store.replace(9)[0] = 1;
  assert.equal(store.tryView(9)![0], 1);
  assert.ok(!store.unreadable.has(9));
});

Deno.test("Another error of the device is thrown on", () => {
  const device = new FaultyDevice(new MemoryDevice(1024, 64));
  device.rule = () => "EBADF";
  assert.throws(() => new BlockStore(device).tryView(9), DeviceError);
});

Deno.test("A sparse set holds what was put in, in order", () => {
  const set = new SparseBits(16, 1);
  for (const number of [40, 1, 17, 16]) assert.ok(set.add(number));
  assert.ok(!set.add(40));
  set.addRun(30, 5);
  set.delete(17);
  assert.deepEqual([...set], [1, 16, 30, 31, 32, 33, 34, 40]);
  assert.equal(set.size, 8);
  assert.ok(set.has(33) && !set.has(17) && !set.has(1000));
});

Deno.test("A table of directories is in the order of inodes", () => {
  const table = new DirectoryTable();
  for (let ino = 2; ino < 400; ino += 2) {
    table.add(ino);
    table.setParent(ino, ino - 1);
  }
  table.add(3);
  table.setDotdot(3, 2);
  assert.equal(table.count, 200);
  assert.equal(table.parent(398), 397);
  assert.equal(table.dotdot(3), 2);
  assert.equal(table.parent(5), 0);
  assert.deepEqual([table.inode(0), table.inode(1), table.inode(2)], [2, 3, 4]);
});
