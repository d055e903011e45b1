import assert from "node:assert/strict";
import { HostileFile } from "../tests/support/hostile.ts";
import { hex } from "../tests/support/naive_tree.ts";
import { Random } from "../tests/support/random.ts";
import { TREE_KINDS, VeritySpecimen } from "../tests/support/verity.ts";
import { type BlockDevice, IntegrityError } from "./block_device.ts";
import { FaultyDevice } from "./faulty.ts";

const SIZE = 1024;

function read(device: BlockDevice, block: number, count = 1): Uint8Array {
  const into = new Uint8Array(count * device.blockSize).fill(0xee);
  device.read(block, into);
  return into;
}

Deno.test("a failing image fails the write, and a later one makes it good", async () => {
  for (const kind of TREE_KINDS) {
    const specimen = new VeritySpecimen({ kind, blocks: 100 });
    const image = new FaultyDevice(specimen.image);
    const device = specimen.open({ image });
    const bytes = new Random(3).bytes(20 * SIZE);
    image.rule = ({ kind }) => kind === "write" ? "ENOSPC" : null;
    assert.throws(() => device.write(10, bytes), { code: "ENOSPC" });
    image.rule = null;
    // Half of it was written, which nobody has confirmed: no old leaf fits.
    if (kind === "array") assert.throws(() => read(device, 10), IntegrityError);
    assert.deepEqual(read(device, 25, 5), specimen.expected(25, 5));
    await device.flush();
    assert.deepEqual(specimen.published, []);
    device.write(10, bytes);
    specimen.note(10, bytes);
    await device.flush();
    assert.equal(hex(specimen.state.root), hex(specimen.root()));
    const again = specimen.open();
    assert.deepEqual(read(again, 0, 100), specimen.expected(0, 100));
  }
});

Deno.test("no flush succeeds while a part of it fails, and the next one is whole", async () => {
  for (const kind of TREE_KINDS) {
    for (const part of ["image", "tree write", "tree sync", "publish"]) {
      const specimen = new VeritySpecimen({ kind, blocks: 500 });
      const image = new FaultyDevice(specimen.image);
      const tree = new HostileFile(specimen.tree);
      let isBroken = true;
      const device = specimen.open({
        image,
        tree,
        beforePublish: () => {
          if (isBroken && part === "publish") throw new Error("no room");
        },
      });
      const before = device.state;
      const bytes = new Random(4).bytes(300 * SIZE);
      device.write(7, bytes);
      specimen.note(7, bytes);
      if (part === "image") image.rule = ({ kind }) => isFlush(kind);
      if (part === "tree write") tree.rule = ({ kind }) => fails(kind, "write");
      if (part === "tree sync") tree.rule = ({ kind }) => fails(kind, "sync");
      await assert.rejects(device.flush());
      await assert.rejects(device.flush());
      assert.deepEqual(device.state, before);
      assert.deepEqual(read(device, 7, 300), bytes);
      isBroken = false;
      image.rule = tree.rule = null;
      await device.flush();
      assert.equal(hex(specimen.state.root), hex(specimen.root()));
      assert.deepEqual(specimen.tree.bytes, specimen.naiveTree());
      assert.deepEqual(read(specimen.open(), 7, 300), bytes);
    }
  }
});

function isFlush(kind: string): "EIO" | null {
  return kind === "flush" ? "EIO" : null;
}

function fails(kind: string, which: string): "EIO" | null {
  return kind === which ? "EIO" : null;
}

Deno.test("a state that may have been stored is replaced, even by the one before", async () => {
  const specimen = new VeritySpecimen({ kind: "array", blocks: 10 });
  const stored: string[] = [hex(specimen.state.root)];
  let isBroken = true;
  const device = specimen.open({
    beforePublish: ({ root }) => {
      stored.push(hex(root));
      if (isBroken) throw new Error("stored, but the answer was lost");
    },
  });
  const old = read(device, 3);
  device.write(3, new Uint8Array(SIZE).fill(1));
  await assert.rejects(device.flush());
  device.write(3, old);
  isBroken = false;
  await device.flush();
  assert.equal(stored.at(-1), hex(specimen.root()));
  assert.equal(stored.length, 3);
  // What is known to be stored is not stored again.
  await device.flush();
  assert.equal(stored.length, 3);
});

Deno.test("a tree that was written there and back is synced", async () => {
  const specimen = new VeritySpecimen({ kind: "array", blocks: 10 });
  const tree = new HostileFile(specimen.tree);
  const device = specimen.open({ tree });
  const old = read(device, 3);
  device.write(3, new Uint8Array(SIZE).fill(1));
  tree.rule = ({ kind }) => fails(kind, "sync");
  await assert.rejects(device.flush());
  device.write(3, old);
  await assert.rejects(device.flush());
  tree.rule = null;
  const { sync } = tree.calls;
  await device.flush();
  assert.equal(tree.calls.sync, sync + 1);
  await device.flush();
  assert.equal(tree.calls.sync, sync + 1);
});

Deno.test("flushes that overlap take turns, and publish in order", async () => {
  for (const kind of TREE_KINDS) {
    const specimen = new VeritySpecimen({ kind, blocks: 200 });
    let running = 0;
    const device = specimen.open({
      beforePublish: async () => {
        assert.equal(++running, 1, "two flushes at once");
        await new Promise((resolve) => setTimeout(resolve, 1));
        running--;
      },
    });
    const roots: string[] = [];
    const flushes: Promise<void>[] = [];
    for (let i = 0; i < 8; i++) {
      const bytes = new Uint8Array(SIZE).fill(i + 1);
      device.write(i * 20, bytes);
      specimen.note(i * 20, bytes);
      roots.push(hex(specimen.root()));
      flushes.push(device.flush(), device.flush());
      // The first flush takes its turn as soon as it can, those behind wait.
      if (i === 0) await Promise.resolve();
    }
    await Promise.all(flushes);
    assert.equal(specimen.published[0], roots[0]);
    assert.equal(specimen.published.at(-1), roots.at(-1));
    const places = specimen.published.map((root) => roots.indexOf(root));
    assert.deepEqual(places, places.toSorted((a, b) => a - b));
    assert.ok(!places.includes(-1));
    assert.deepEqual(read(specimen.open(), 0, 200), specimen.expected(0, 200));
  }
});

Deno.test("a flush that fails does not fail the one behind it", async () => {
  const specimen = new VeritySpecimen({ kind: "pages", blocks: 10 });
  const image = new FaultyDevice(specimen.image);
  image.rule = ({ ordinal, kind }) => ordinal === 1 ? isFlush(kind) : null;
  const device = specimen.open({ image });
  device.write(3, new Uint8Array(SIZE).fill(1));
  const flushes = [device.flush(), device.flush()];
  const results = await Promise.allSettled(flushes);
  const outcomes = results.map(({ status }) => status);
  assert.deepEqual(outcomes, ["rejected", "fulfilled"]);
  assert.equal(specimen.published.length, 1);
});

Deno.test("closing in the middle of a flush publishes nothing any more", async () => {
  const specimen = new VeritySpecimen({ kind: "array", blocks: 10 });
  const device = specimen.open();
  device.write(3, new Uint8Array(SIZE).fill(1));
  const flush = device.flush();
  await Promise.resolve();
  device.close();
  await assert.rejects(flush, { code: "EBADF" });
  assert.deepEqual(specimen.published, []);
});

Deno.test("the state that is given away is a copy", async () => {
  const specimen = new VeritySpecimen({ kind: "array", blocks: 10 });
  const device = specimen.open();
  device.write(3, new Uint8Array(SIZE).fill(1));
  await device.flush();
  const root = hex(device.state.root);
  specimen.state.root.fill(0);
  device.state.root.fill(0);
  assert.equal(hex(device.state.root), root);
});
