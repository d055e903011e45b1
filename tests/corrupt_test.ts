/**
 * Corrupt volumes: each field of each structure, driven by the layout tables,
 * is set to hostile values in turn, and the volume is used in every way. What
 * comes of it must be errors of the engine: no hang, no crash, no other error.
 */

import assert from "node:assert/strict";
import type { MemoryDevice } from "../bd/memory.ts";
import { GROUP_DESCRIPTOR } from "../fs/block_group.ts";
import { DIRECTORY_ENTRY } from "../fs/directory_entry.ts";
import { INODE } from "../fs/inode.ts";
import type { Field } from "../fs/layout.ts";
import { SUPERBLOCK } from "../fs/superblock.ts";
import { XATTR_ENTRY, XATTR_HEADER } from "../fs/xattr_entries.ts";
import {
  BLOCK,
  block,
  BLOCKS,
  exercise,
  inodeAt,
  makeSpecimen,
  pointer,
  type Specimen,
} from "./support/corrupt.ts";
import { chooseSeed, Random } from "./support/random.ts";

/** One number on the volume that is set to hostile values. */
interface Target {
  name: string;
  /** Byte at which it starts. */
  at: number;
  size: number;
}

/** Values that are wrong almost anywhere: extremes and neighbours. */
function hostileValues(size: number, value: number, self: number): number[] {
  const limit = 256 ** size;
  const values = [
    0,
    1,
    2,
    3,
    7,
    limit - 1,
    limit - 2,
    limit / 2,
    limit / 2 - 1,
  ];
  values.push(value - 1, value + 1, value + 4, value * 2, value ^ 0x80);
  if (size >= 2) {
    values.push(8, 11, 12, 60, BLOCK - 1, BLOCK, BLOCK + 1, 0x4000);
  }
  // Blocks of metadata, the last block and the one behind it, and its own.
  if (size === 4) {
    values.push(4, 5, 6, BLOCKS - 1, BLOCKS, BLOCKS + 1, self, 128, 129);
    values.push(0x10_0000, 0x7fff_f000, 0xffff_f000);
    const { dir, sub, small, orphan } = large.inodes;
    values.push(dir, sub, small, orphan);
  }
  const fitting = values.filter((v) => v >= 0 && v < limit && v !== value);
  return [...new Set(fitting)];
}

/** The numbers of a structure; runs of bytes are taken as 32-bit numbers. */
function targets(
  table: Readonly<Record<string, Field>>,
  structure: string,
  at: number,
  limit = Infinity,
): Target[] {
  const all: Target[] = [];
  for (const [name, { offset, size }] of Object.entries(table)) {
    if (offset + size > limit) continue;
    const step = size <= 4 ? size : 4;
    for (let i = 0; i + step <= Math.min(size, 68); i += step) {
      const index = size > 4 ? `[${i / 4}]` : "";
      const field = `${structure}.${name}${index}`;
      all.push({ name: field, at: at + offset + i, size: step });
    }
  }
  return all;
}

/** A copy of the volume with `value` written at `target`. */
function corrupted(
  device: MemoryDevice,
  { at, size }: Target,
  change: (old: number, self: number) => number,
): MemoryDevice {
  const copy = device.copy();
  const number = Math.floor(at / BLOCK);
  const bytes = block(copy, number);
  const view = new DataView(bytes.buffer);
  const i = at % BLOCK;
  if (size === 1) view.setUint8(i, change(view.getUint8(i), number));
  if (size === 2) {
    view.setUint16(i, change(view.getUint16(i, true), number), true);
  }
  if (size === 4) {
    view.setUint32(i, change(view.getUint32(i, true), number), true);
  }
  copy.write(number, bytes);
  return copy;
}

async function attack(
  specimen: Specimen,
  all: readonly Target[],
): Promise<void> {
  const failures: string[] = [];
  for (const target of all) {
    let values: number[] = [];
    corrupted(specimen.device, target, (old, self) => {
      values = hostileValues(target.size, old, self);
      return old;
    });
    for (const value of values) {
      try {
        await exercise(corrupted(specimen.device, target, () => value));
      } catch (error) {
        const { stack } = error as Error;
        failures.push(`${target.name} = ${value}: ${stack}`);
      }
    }
  }
  assert.ok(all.length > 0);
  const text = failures.slice(0, 8).join("\n");
  assert.equal(failures.length, 0, `${failures.length} failures\n${text}`);
}

/** Bytes at which the entries of a directory block start. */
function entriesOf(device: MemoryDevice, number: number): number[] {
  const bytes = block(device, number);
  const starts = [];
  for (let at = 0; at < BLOCK;) {
    starts.push(number * BLOCK + at);
    at += DIRECTORY_ENTRY.rec_len.get(bytes, at);
  }
  return starts;
}

const large = await makeSpecimen(256);
const small = await makeSpecimen(128);

Deno.test("the volume to corrupt gives no such error before", async () => {
  // Names and attributes that are not there are asked for on purpose.
  for (const { device } of [large, small]) {
    const met = await exercise(device.copy());
    assert.deepEqual([...met].sort(), ["ENODATA", "ENOENT", "ENXIO"]);
  }
});

Deno.test("hostile superblocks give errors only", async () => {
  const all = targets(SUPERBLOCK, "superblock", 1024);
  await attack(large, all.filter(({ name }) => !name.includes("ext4_fields")));
});

Deno.test("hostile group descriptors give errors only", async () => {
  for (const group of [0, 1]) {
    const at = 2 * BLOCK + group * 32;
    await attack(large, targets(GROUP_DESCRIPTOR, `group ${group}`, at));
  }
});

for (const name of Object.keys(large.inodes)) {
  Deno.test(`hostile fields in the inode of "${name}" give errors only`, () => {
    const at = inodeAt(large, large.inodes[name]);
    return attack(large, targets(INODE, name, at));
  });
}

Deno.test("hostile fields in inodes of 128 bytes give errors only", async () => {
  for (const name of ["small", "dir"]) {
    const at = inodeAt(small, small.inodes[name]);
    await attack(small, targets(INODE, name, at, 128));
  }
});

Deno.test("hostile directory entries give errors only", async () => {
  const { root, dir } = large.inodes;
  const [first, second] = [0, 1].map((index) => pointer(large, dir, index));
  const ends = (entries: number[]): number[] => [
    ...entries.slice(0, 3),
    ...entries.slice(-1),
  ];
  for (const number of [pointer(large, root, 0), first, second]) {
    for (const at of ends(entriesOf(large.device, number))) {
      await attack(large, targets(DIRECTORY_ENTRY, `entry at ${at}`, at));
    }
  }
});

Deno.test("hostile pointers in indirect blocks give errors only", async () => {
  const single = pointer(large, large.inodes.file, 12);
  const double = pointer(large, large.inodes.file, 13);
  const below = new DataView(block(large.device, double).buffer);
  const blocks = [single, double, below.getUint32(0, true)];
  await attack(
    large,
    blocks.flatMap((number) =>
      [0, 1, 255].map((index) => ({
        name: `pointer ${index} of block ${number}`,
        at: number * BLOCK + 4 * index,
        size: 4,
      }))
    ),
  );
});

Deno.test("hostile blocks of attributes give errors only", async () => {
  const inode = inodeAt(small, small.inodes.small);
  const bytes = block(small.device, Math.floor(inode / BLOCK));
  const at = INODE.i_file_acl.get(bytes, inode % BLOCK) * BLOCK;
  assert.notEqual(at, 0);
  await attack(small, targets(XATTR_HEADER, "header", at));
  for (const start of [32, 52]) {
    await attack(small, targets(XATTR_ENTRY, `entry ${start}`, at + start));
  }
});

Deno.test("hostile attributes in an inode give errors only", async () => {
  const at = inodeAt(large, large.inodes.small) + 128 + 32;
  await attack(large, [{ name: "magic", at, size: 4 }]);
  await attack(large, targets(XATTR_ENTRY, "entry", at + 4));
});

Deno.test("bitmaps that are all clear or all set give errors only", async () => {
  const descriptors = block(large.device, 2);
  for (const field of ["bg_block_bitmap", "bg_inode_bitmap"] as const) {
    for (const byte of [0, 0xff]) {
      const device = large.device.copy();
      const number = GROUP_DESCRIPTOR[field].get(descriptors, 0);
      device.write(number, new Uint8Array(BLOCK).fill(byte));
      await exercise(device);
    }
  }
});

Deno.test("random damage to the metadata gives errors only", async () => {
  const seed = chooseSeed("DAMAGE_SEED");
  const random = new Random(seed);
  for (let round = 0; round < 1500; round++) {
    const { device } = random.pick([large, small]);
    const damaged = device.copy();
    for (let n = 1 + random.below(12); n > 0; n--) {
      const number = 1 + random.below(120);
      const bytes = block(damaged, number);
      bytes[random.below(BLOCK)] = random.next();
      damaged.write(number, bytes);
    }
    await exercise(damaged).catch((cause) => {
      throw new Error(`DAMAGE_SEED=${seed} fails in round ${round}`, { cause });
    });
  }
});
