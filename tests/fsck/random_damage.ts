/**
 * Random damage to the metadata of a volume, as a seed has it, and what must
 * come of it: a repair that comes to an end and leaves nothing to find.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { MemoryDevice } from "../../bd/memory.ts";
import { PROBLEM_KINDS } from "../../fs/check/mod.ts";
import { Inode } from "../../fs/inode.ts";
import { inodeBlocks } from "../../fs/inode_blocks.ts";

import { Filesystem, FsError, Paths, ROOT_INODE } from "../../fs/mod.ts";
import { Volume } from "../../fs/volume.ts";
import { assertDeviceClean } from "../support/images.ts";
import { Random } from "../support/random.ts";
import { Damage } from "./damage.ts";
import { describe } from "./describe.ts";
import { codes, lines, Patient } from "./examine.ts";
import { makeSpecimen, type Specimen, SPECIMEN_KINDS } from "./specimen.ts";

/** Seconds after which a repair is taken to be endless. */
const SECONDS_MAX = 20;

/** The blocks of a volume that are not the contents of files. */
export class Metadata {
  /** Superblocks and descriptors, the copies too. */
  readonly heads: number[] = [];
  /** Everything else. */
  readonly blocks: number[] = [];
  /** The block of each inode in use. */
  readonly tables: number[] = [];

  /** Finds them on a volume without a fault. */
  constructor(readonly specimen: Specimen) {
    const { device, inodes } = specimen;
    const volume = new Volume(device, { readOnly: true });
    const image = new Damage(device, specimen);
    const { geometry } = image;
    for (let group = 0; group < geometry.groupCount; group++) {
      const { blockBitmap, inodeBitmap } = volume.groupMetadata(group);
      this.blocks.push(blockBitmap, inodeBitmap);
      if (!geometry.hasSuperblock(group)) continue;
      const start = geometry.groupStart(group);
      this.heads.push(start, start + 1);
    }
    this.tables.push(image.inodePlace(1).block);
    for (const [path, ino] of Object.entries(inodes)) {
      if (path.startsWith("/orphan")) continue;
      const inode = new Inode(volume, ino);
      this.tables.push(inode.tableBlock);
      for (const { role, start, count } of inodeBlocks(inode, rethrow)) {
        if (role === "data" && !inode.isDirectory) continue;
        for (let i = 0; i < count; i++) this.blocks.push(start + i);
      }
    }
    this.blocks.push(...new Set(this.tables));
  }

  /** Does what a seed says; returns what that was. */
  damage(image: Damage, random: Random): string[] {
    const count = 1 + random.below(random.chance(0.2) ? 30 : 5);
    return Array.from({ length: count }, () => this.#once(image, random));
  }

  #once(image: Damage, random: Random): string {
    const block = random.chance(0.03)
      ? random.pick(this.heads)
      : random.chance(0.4)
      ? random.pick(this.tables)
      : random.pick(this.blocks);
    const at = random.below(image.blockSize);
    const word = at & ~3;
    const way = random.below(100);
    if (way < 40) {
      const value = random.next();
      image.edit(block, (bytes) => bytes[at] = value);
      return `block ${block}: byte ${at} is ${value & 255}`;
    }
    if (way < 60) {
      const bit = random.below(8);
      image.edit(block, (bytes) => bytes[at] ^= 1 << bit);
      return `block ${block}: bit ${bit} of byte ${at} is flipped`;
    }
    if (way < 92) {
      const value = this.#number(image, random);
      image.setWord({ block, at: word }, value);
      return `block ${block}: word ${word} is ${value}`;
    }
    if (way < 95) {
      image.edit(block, (bytes) => bytes.fill(0));
      return `block ${block}: zeros`;
    }
    if (way < 97) {
      const other = random.pick(this.blocks);
      image.device.write(block, image.read(other));
      return `block ${block}: that of block ${other}`;
    }
    const bytes = random.bytes(image.blockSize - word);
    image.edit(block, (old) => old.set(bytes, word));
    return `block ${block}: random from byte ${word} on`;
  }

  /** A number that means something, or is an extreme. */
  #number(image: Damage, random: Random): number {
    return random.pick([
      random.pick(this.blocks),
      random.pick(this.blocks),
      random.pick(Object.values(image.inodes)),
      random.pick(Object.values(image.inodes)),
      random.below(image.end),
      image.end,
      image.freeInode,
      0,
      1,
      0xffff_ffff,
      0x7fff_ffff,
      random.next(),
    ]);
  }
}

function rethrow(error: unknown): never {
  throw error;
}

/** What came of a seed. */
export type Outcome = "nothing to find" | "repaired" | "refused";

/**
 * Damages a volume as `seed` says, repairs it, and has the result judged.
 * Throws an error that tells what was done if anything is wrong with it.
 */
export async function repairRandom(
  metadata: Metadata,
  seed: number,
): Promise<Outcome> {
  const { specimen } = metadata;
  const random = new Random(seed);
  const isLeftOpen = random.chance(0.2);
  const device = (isLeftOpen ? specimen.left : specimen.device).copy();
  const done = metadata.damage(new Damage(device, specimen), random);
  const unreadable = random.chance(0.2)
    ? [1, 2].map(() => random.pick(metadata.blocks))
    : [];
  for (const block of unreadable) done.push(`block ${block}: unreadable`);
  try {
    return await repairs(new Patient(device, unreadable));
  } catch (cause) {
    const { message } = cause as Error;
    const what = `FSCK_SEED=${seed}, ${specimen.name}`;
    throw new Error(`${what}: ${message}\n${done.join("\n")}`, { cause });
  }
}

async function repairs(patient: Patient): Promise<Outcome> {
  const start = performance.now();
  let found;
  try {
    found = await patient.check("check");
    await preens(patient.copy());
  } catch (error) {
    if (error instanceof FsError) {
      // A superblock from which no volume can be made out.
      assert.equal(error.code, "EINVAL", error.message);
      return "refused";
    }
    throw error;
  }
  const repaired = await patient.check("repair");
  assert.ok(repaired.complete, "the repair is not complete");
  const left = repaired.problems.filter(({ code, repaired }) => {
    const { lost = false, note = false } = PROBLEM_KINDS[code];
    return !repaired && !lost && !note;
  });
  assert.deepEqual(left, [], `the repair leaves:\n${lines(repaired)}`);
  await assertSound(patient, `after the repair of\n${lines(repaired)}`);
  await use(patient.stored);
  const seconds = (performance.now() - start) / 1000;
  assert.ok(seconds < SECONDS_MAX, `it took ${seconds} s`);
  return found.problems.length === 0 ? "nothing to find" : "repaired";
}

async function preens(patient: Patient): Promise<void> {
  const report = await patient.check("preen");
  const isSafe = report.problems.every(({ code }) => PROBLEM_KINDS[code].preen);
  assert.equal(report.isSound, isSafe, `preen leaves\n${lines(report)}`);
  if (isSafe) await assertSound(patient, `after preening\n${lines(report)}`);
}

async function assertSound(patient: Patient, when: string): Promise<void> {
  const second = await patient.check("check");
  const left = codes(second).filter((code) => code !== "data.unreadable");
  assert.deepEqual(left, [], `${lines(second)}\n${when}`);
  await assertDeviceClean(patient.stored, when);
}

/** Opens a repaired volume, looks at everything, and changes something. */
async function use(device: MemoryDevice): Promise<void> {
  describe(device);
  const fs = Filesystem.open(device);
  const paths = new Paths(fs);
  // The damage may have made the root immutable, which is nobody's fault.
  fs.setattr(ROOT_INODE, { flags: 0 });
  paths.mkdir("/after");
  paths.writeFile("/after/file", new Uint8Array(20_000).fill(1));
  paths.removeAll("/after");
  await fs.close();
}

/** How many volumes are damaged, and until when. */
export interface RandomPlan {
  /** Volumes at most. */
  readonly count: number;
  /** No new one is begun after this point in time, in milliseconds. */
  readonly until?: number;
}

let specimens: Promise<Metadata[]> | undefined;

/** Every specimen, made once. */
function allMetadata(): Promise<Metadata[]> {
  return specimens ??= Promise.all(
    SPECIMEN_KINDS.map(async (kind) => new Metadata(await makeSpecimen(kind))),
  );
}

/**
 * Damages volumes one after another, as `seed` and the numbers behind it say,
 * and repairs them. Returns a line that says how many. Throws an error that
 * names the seed if anything is wrong with one: `FSCK_SEED` replays it.
 */
export async function repairAtRandom(
  seed: number,
  { count, until = Infinity }: RandomPlan,
): Promise<string> {
  const all = await allMetadata();
  const counts = { "nothing to find": 0, repaired: 0, refused: 0 };
  for (let n = 0; n < count && Date.now() < until; n++) {
    const next = (seed + n) % 2 ** 32;
    counts[await repairRandom(all[next % all.length], next)]++;
  }
  const text = Object.entries(counts).map(([what, number]) => {
    return `${number} ${what}`;
  });
  return `volumes damaged at random: ${text.join(", ")}`;
}
