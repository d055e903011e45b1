/**
 * Verified volumes with stored blocks that somebody has changed: the check
 * says whom each belongs to, and after the repair all that was not hit is as
 * it was.
 */

import assert from "node:assert/strict";
import type { MemoryDevice } from "../../bd/memory.ts";
import { scrub } from "../../bd/scrub.ts";
import { pagedLayout } from "../../bd/tree_layout.ts";
import type { VerityDevice } from "../../bd/verity.ts";
import { checkVolume, PROBLEM_KINDS } from "../../fs/check/mod.ts";
import type { BlockRun } from "../../fs/mod.ts";
import { withTempDir } from "../support/tools.ts";
import { copyDirectory, newVolume, withVolume } from "../support/volumes.ts";
import type { DamageCase } from "./case.ts";
import { UNREADABLE_CASES } from "./cases_unreadable.ts";
import { Damage } from "./damage.ts";
import { describe, differences } from "./describe.ts";
import { codes, lines, mayChange } from "./examine.ts";
import { makeSpecimen, type Specimen, SPECIMEN_KINDS } from "./specimen.ts";

/** Makes a volume of ours that holds what a specimen does. */
function makeVolume(
  path: string,
  device: "verity" | "vericrypt",
  stored: MemoryDevice,
): Promise<void> {
  const { blockSize, blockCount } = stored;
  return newVolume(path, device, {
    blockSize,
    blockCount,
    fill: async (volume) => {
      for (const { position, bytes } of stored.extents()) {
        for (let at = 0; at < bytes.length; at += blockSize) {
          const block = bytes.subarray(at, at + blockSize);
          if (block.every((byte) => byte === 0)) continue;
          volume.device.write((position + at) / blockSize, block);
        }
      }
      // What is not of zeros has a leaf, and can be tampered with.
      await volume.device.flush();
    },
  });
}

/** Changes a byte of each of some stored blocks. */
async function tamper(
  path: string,
  blocks: readonly number[],
  blockSize: number,
): Promise<void> {
  using file = await Deno.open(`${path}/image`, { read: true, write: true });
  for (const block of blocks) {
    const at = block * blockSize + block % blockSize;
    const byte = new Uint8Array(1);
    await file.seek(at, Deno.SeekMode.Start);
    await file.read(byte);
    byte[0] ^= 1 << block % 8;
    await file.seek(at, Deno.SeekMode.Start);
    await file.write(byte);
  }
}

const ascending = (a: number, b: number): number => a - b;

/** The blocks that do not verify. */
async function badBlocks(verity: VerityDevice): Promise<BlockRun[]> {
  const { bad } = await scrub(verity, { workers: 0 });
  return bad.ranges.map(({ first, count }) => ({ start: first, count }));
}

function numbersOf(runs: readonly BlockRun[]): number[] {
  return runs.flatMap(({ start, count }) => {
    return Array.from({ length: count }, (_, i) => start + i);
  });
}

async function survives(
  path: string,
  specimen: Specimen,
  damageCase: DamageCase,
): Promise<void> {
  const { code, hits = [], moved } = damageCase;
  const image = new Damage(specimen.device, specimen);
  const blocks = damageCase.unreadable!(image);
  await tamper(path, blocks, specimen.blockSize);
  const { lost = false } = PROBLEM_KINDS[code];
  await withVolume(path, async ({ device, verity }) => {
    const unreadable = await badBlocks(verity!);
    assert.deepEqual(numbersOf(unreadable), [...blocks].sort(ascending));
    const found = await checkVolume(device, { mode: "check", unreadable });
    assert.ok(codes(found).includes(code), `${code}:\n${lines(found)}`);
    assert.equal(found.changed, false);
    const repaired = await checkVolume(device, { mode: "repair", unreadable });
    assert.equal(repaired.isSound, !lost, lines(repaired));
    await device.flush();
  });
  await withVolume(path, async ({ device, verity }) => {
    const unreadable = await badBlocks(verity!);
    assert.equal(numbersOf(unreadable).length, lost ? blocks.length : 0);
    const second = await checkVolume(device, { mode: "check", unreadable });
    assert.deepEqual(codes(second), lost ? [code] : [], lines(second));
    const after = describe(device);
    const expected = (path: string): boolean => mayChange(path, hits);
    assert.deepEqual(differences(specimen.before, after, expected), []);
    for (const [to, from] of Object.entries(moved?.(image) ?? {})) {
      assert.equal(after.get(to), specimen.before.get(from), to);
    }
  });
}

for (const device of ["verity", "vericrypt"] as const) {
  Deno.test(`a ${device} volume is repaired around tampered blocks`, () =>
    withTempDir(async (dir) => {
      const specimen = await makeSpecimen(SPECIMEN_KINDS[0]);
      await makeVolume(`${dir}/made`, device, specimen.device);
      for (const [i, damageCase] of UNREADABLE_CASES.entries()) {
        // A block that was never written is zeros whatever is stored.
        if (damageCase.code === "block.unreadable") continue;
        if (device === "vericrypt" && i % 3 !== 0) continue;
        const path = `${dir}/${i}`;
        await copyDirectory(`${dir}/made`, path);
        await survives(path, specimen, damageCase).catch((cause) => {
          throw new Error(damageCase.name, { cause });
        });
        await Deno.remove(path, { recursive: true });
      }
    }));
}

/** Changes the leaf of `block` in the tree of a volume. */
async function breakLeaf(
  path: string,
  { block, blockCount }: { block: number; blockCount: number },
): Promise<void> {
  const layout = pagedLayout(blockCount);
  const node = layout.firstLeaf + block;
  const unit = layout.unitOf(node);
  const slot = layout.slotOf(node, unit) - layout.firstSlot(unit);
  const at = layout.position(unit) + slot * layout.digestSize;
  using tree = await Deno.open(`${path}/tree`, { read: true, write: true });
  const byte = new Uint8Array(1);
  await tree.seek(at, Deno.SeekMode.Start);
  await tree.read(byte);
  byte[0] ^= 1;
  await tree.seek(at, Deno.SeekMode.Start);
  await tree.write(byte);
}

Deno.test("what a damaged hash tree keeps from being written is left, and nothing else", () =>
  withTempDir(async (dir) => {
    const { device, ...specimen } = await makeSpecimen(SPECIMEN_KINDS[0]);
    const path = `${dir}/made`;
    await makeVolume(path, "verity", device);
    const image = new Damage(device, specimen);
    const { blockSize, blockCount } = device;
    const { block } = image.inodePlace("/direct");
    const bitmap = image.descriptorField(1, "bg_block_bitmap");
    await breakLeaf(path, { block, blockCount });
    await tamper(path, [bitmap], blockSize);
    // The node above is that of both.
    const pair = { start: block & ~1, count: 2 };
    for (const isFirst of [true, false]) {
      await withVolume(path, async ({ device, verity }) => {
        const unreadable = await badBlocks(verity!);
        const expected = numbersOf(
          isFirst ? [pair, { start: bitmap, count: 1 }] : [pair],
        );
        assert.deepEqual(numbersOf(unreadable), expected);
        const report = await checkVolume(device, {
          mode: "repair",
          unreadable,
        });
        assert.deepEqual(report.unwritable, [pair]);
        assert.ok(report.complete && !report.isSound, lines(report));
        // Once the rest is in order, there is nothing to be done.
        assert.equal(report.changed, isFirst, lines(report));
        const left = report.problems.filter(({ repaired }) => !repaired);
        const isLeft = left.every(({ code, block }) =>
          code === "superblock.state" || numbersOf([pair]).includes(block!)
        );
        assert.ok(isLeft && left.length > 0, lines(report));
        const isRepaired = report.problems.some(({ code, repaired }) =>
          code === "bitmap.block_unreadable" && repaired
        );
        assert.equal(isRepaired, isFirst, lines(report));
      });
    }
  }));
