/**
 * A host that changes what it serves while a device is in use: between a
 * verify and an update, between an update and the next root, after something
 * was dropped from memory, and at each read anew.
 *
 * Whatever it serves, a call returns what is true or throws `IntegrityError`
 * and changes nothing; and every root that is published is that of what the
 * device is meant to hold.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { IntegrityError } from "../../bd/block_device.ts";
import type { VerityDevice } from "../../bd/verity.ts";
import {
  HostileDevice,
  HostileFile,
  serving,
  type Tamper,
} from "../support/hostile.ts";
import { Liar } from "../support/liar.ts";
import { hex } from "../support/naive_tree.ts";
import { chooseSeed, Random } from "../support/random.ts";
import {
  TREE_KINDS,
  type TreeKind,
  VeritySpecimen,
} from "../support/verity.ts";

const SIZE = 1024;

/** A device in use, and the host underneath. */
interface Scene {
  specimen: VeritySpecimen;
  device: VerityDevice;
  image: HostileDevice;
  tree: HostileFile;
  /** What the tree was before the last write. */
  old: Tamper;
}

/** Writes `blocks` blocks twice and opens the device with nothing in memory. */
async function scene(kind: TreeKind, blocks: number): Promise<Scene> {
  const specimen = new VeritySpecimen({ kind, blocks });
  const random = new Random(blocks);
  const writer = specimen.open();
  let old = specimen.tree.bytes;
  for (let pass = 0; pass < 2; pass++) {
    old = specimen.tree.bytes.slice();
    const bytes = random.bytes(blocks * SIZE);
    writer.write(0, bytes);
    specimen.note(0, bytes);
    await writer.flush();
  }
  const image = new HostileDevice(specimen.image);
  const tree = new HostileFile(specimen.tree);
  const device = specimen.open({ image, tree });
  return { specimen, device, image, tree, old: serving(old) };
}

function write({ specimen, device }: Scene, block: number, byte: number): void {
  const bytes = new Uint8Array(SIZE).fill(byte);
  device.write(block, bytes);
  specimen.note(block, bytes);
}

function checkRead({ specimen, device }: Scene, block: number): void {
  const into = new Uint8Array(SIZE);
  device.read(block, into);
  assert.ok(isSame(into, specimen.expected(block)), `block ${block}`);
}

async function checkFlush({ specimen, device }: Scene): Promise<void> {
  await device.flush();
  assert.equal(hex(specimen.state.root), hex(specimen.root()));
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

for (const kind of TREE_KINDS) {
  Deno.test(`${kind}: old siblings during a write are not folded in`, async () => {
    for (let block = 0; block < 70; block++) {
      const here = await scene(kind, 70);
      const image = here.specimen.image.copy();
      here.tree.tamper = here.old;
      assert.throws(() => write(here, block, 1), IntegrityError);
      await here.device.flush();
      assert.deepEqual(here.specimen.published.length, 2);
      const before = new Uint8Array(SIZE);
      image.read(block, before);
      assert.ok(isSame(before, here.specimen.expected(block)));
      here.tree.tamper = null;
      write(here, block, 2);
      await checkFlush(here);
      checkRead(here, block);
    }
  });

  Deno.test(`${kind}: one old node anywhere on a path is noticed`, async () => {
    const here = await scene(kind, 70);
    const { specimen, old } = here;
    for (let at = 0; at < specimen.tree.size; at += 32) {
      const tree = new HostileFile(specimen.tree);
      tree.tamper = (position, bytes) => {
        const from = at - position;
        if (from < 0 || from >= bytes.length) return;
        old(at, bytes.subarray(from, from + 32));
      };
      const device = specimen.fork(specimen).open({ tree });
      for (const block of [0, 33, 63, 64, 69]) {
        let isRefused = false;
        try {
          device.write(block, specimen.expected(block));
        } catch (error) {
          assert.ok(error instanceof IntegrityError);
          isRefused = true;
        }
        if (!isRefused) device.admitWrite(block);
      }
      await device.flush();
      // What was written is what had been there: so is the root.
      assert.equal(hex(device.state.root), hex(specimen.state.root));
    }
  });

  Deno.test(`${kind}: nothing served between a read and a write matters`, async () => {
    const here = await scene(kind, 70);
    checkRead(here, 17);
    here.tree.tamper = here.old;
    here.image.tamper = (_, bytes) => bytes.fill(0);
    write(here, 17, 3);
    here.tree.tamper = (_, bytes) => bytes.fill(0xff);
    await checkFlush(here);
    here.image.tamper = null;
    checkRead(here, 17);
  });

  Deno.test(`${kind}: nothing served between a write and the root matters`, async () => {
    const here = await scene(kind, 70);
    for (const block of [3, 40, 69]) write(here, block, 4);
    for (const tamper of [here.old, (): void => {}]) {
      here.tree.tamper = tamper;
      for (let block = 0; block < 70; block++) {
        try {
          checkRead(here, block);
        } catch (error) {
          assert.ok(error instanceof IntegrityError);
        }
      }
    }
    here.tree.tamper = here.old;
    await checkFlush(here);
  });

  Deno.test(`${kind}: what was dropped from memory is verified anew`, async () => {
    const here = await scene(kind, 20_000);
    // One read for each page of leaves: more than fit.
    const readAll = (): number => {
      let failed = 0;
      for (let block = 0; block < 20_000; block += 32) {
        try {
          checkRead(here, block);
        } catch (error) {
          assert.ok(error instanceof IntegrityError);
          failed++;
        }
      }
      return failed;
    };
    assert.equal(readAll(), 0);
    for (let block = 0; block < 20_000; block += 500) write(here, block, 5);
    await checkFlush(here);
    here.tree.tamper = here.old;
    assert.ok(readAll() > 0);
    for (let block = 7; block < 20_000; block += 500) {
      try {
        write(here, block, 6);
      } catch (error) {
        assert.ok(error instanceof IntegrityError);
      }
    }
    await checkFlush(here);
  });

  Deno.test(`${kind}: a host that answers differently each time is found out`, async () => {
    const here = await scene(kind, 70);
    let turn = 0;
    here.tree.tamper = (position, bytes) => {
      if (turn++ % 2 === 0) here.old(position, bytes);
    };
    here.image.tamper = (_, bytes) => {
      if (turn++ % 3 === 0) bytes[5] ^= 1;
    };
    let failed = 0;
    for (let i = 0; i < 700; i++) {
      try {
        if (i % 7 === 0) write(here, i % 70, i);
        else checkRead(here, i % 70);
      } catch (error) {
        assert.ok(error instanceof IntegrityError);
        failed++;
      }
      if (i % 50 === 0) await checkFlush(here);
    }
    assert.ok(failed > 10, `${failed} failed`);
  });
}

/** A walk at random over a device that a liar hosts. */
class Walk {
  readonly #random: Random;
  readonly #specimen: VeritySpecimen;
  readonly #blocks: number;
  readonly counts = { steps: 0, failures: 0, flushes: 0, lies: 0 };
  #liar: Liar;
  #image!: HostileDevice;
  #tree!: HostileFile;
  #device!: VerityDevice;
  /** True while the host has been honest since it was last put in order. */
  #isHonest = true;

  constructor(kind: TreeKind, seed: number) {
    this.#random = new Random(seed);
    const algorithm = kind === "array" ? "md5" : "sha256";
    this.#blocks = 20_000;
    this.#specimen = new VeritySpecimen({
      kind,
      blocks: this.#blocks,
      algorithm,
    });
    this.#liar = new Liar(this.#specimen, this.#random);
    this.#open();
  }

  async step(): Promise<void> {
    this.counts.steps++;
    const dice = this.#random.below(100);
    if (dice < 45) this.#read();
    else if (dice < 85) this.#write();
    else if (dice < 86) await this.#flush();
    else if (dice < 90) this.#liar = new Liar(this.#specimen, this.#random);
    else if (dice < 97) this.#lie();
    else if (dice < 99) this.#image.tamper = this.#tree.tamper = null;
    else if (this.#random.chance(0.5)) await this.#reopen();
  }

  async finish(): Promise<void> {
    await this.#reopen();
    for (let i = 0; i < 300; i++) this.#read();
  }

  #open(): void {
    this.#image = new HostileDevice(this.#specimen.image);
    this.#tree = new HostileFile(this.#specimen.tree);
    const { state } = this.#specimen;
    assert.equal(hex(state.root), hex(this.#specimen.root()));
    this.#device = this.#specimen.open({
      image: this.#image,
      tree: this.#tree,
    });
    this.#isHonest = true;
  }

  /** A run of blocks, often where others were. */
  #run(): { block: number; count: number } {
    const random = this.#random;
    const count = random.chance(0.7) ? 1 : 1 + random.below(40);
    const most = this.#blocks - count;
    const block = random.chance(0.5)
      ? random.below(40) * 499
      : random.below(most);
    return { block: Math.min(block, most), count };
  }

  #read(): void {
    const { block, count } = this.#run();
    const into = new Uint8Array(count * SIZE);
    if (this.#fails(() => this.#device.read(block, into))) return;
    assert.ok(isSame(into, this.#specimen.expected(block, count)));
  }

  #write(): void {
    const { block, count } = this.#run();
    const bytes = this.#random.bytes(count * SIZE);
    const before = this.#stored(block, count);
    if (this.#fails(() => this.#device.write(block, bytes))) {
      assert.ok(isSame(this.#stored(block, count), before));
    } else this.#specimen.note(block, bytes);
  }

  async #flush(): Promise<void> {
    await this.#device.flush();
    this.counts.flushes++;
    const { state } = this.#specimen;
    assert.equal(hex(state.root), hex(this.#specimen.root()));
  }

  #lie(): void {
    this.#isHonest = false;
    this.counts.lies++;
    const what = this.#random.below(5);
    if (what < 3) this.#tree.tamper = this.#liar.treeLie();
    else if (what < 4) this.#image.tamper = this.#liar.imageLie();
    else this.#liar.damage();
  }

  async #reopen(): Promise<void> {
    await this.#flush();
    if (this.#isHonest) {
      const { bytes } = this.#specimen.tree;
      assert.ok(isSame(bytes, this.#specimen.naiveTree()));
    }
    this.#specimen.repair();
    this.#open();
  }

  #stored(block: number, count: number): Uint8Array {
    const bytes = new Uint8Array(count * SIZE);
    this.#specimen.image.read(block, bytes);
    return bytes;
  }

  /** Whether `fn` fails, which it may if the host has lied. */
  #fails(fn: () => void): boolean {
    try {
      fn();
      return false;
    } catch (error) {
      assert.ok(error instanceof IntegrityError, String(error));
      assert.ok(!this.#isHonest, "failed without a reason");
      this.counts.failures++;
      return true;
    }
  }
}

const seed = chooseSeed("LIAR_SEED");

for (const kind of TREE_KINDS) {
  Deno.test(`${kind}: a random walk over a lying host, seed ${seed}`, async () => {
    const walk = new Walk(kind, seed);
    while (walk.counts.steps < 4000) await walk.step();
    await walk.finish();
    const { failures, flushes, lies } = walk.counts;
    console.log(
      `${walk.counts.steps} steps, ${lies} lies, ${failures} calls refused, ` +
        `${flushes} roots checked`,
    );
    assert.ok(failures > 50 && flushes > 20);
  });
}
