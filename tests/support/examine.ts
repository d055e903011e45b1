/**
 * Everything is read of what the host has in its hands, and must be right, or
 * fail where it was told beforehand that it would.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type BlockDevice, IntegrityError } from "../../bd/block_device.ts";
import { isSame } from "./damage.ts";
import { type Reading, type Sight, tryReading } from "./reading.ts";
import { present, type Scene } from "./scene.ts";

/** What came of the damages of one row. */
export class Tally {
  /** Damages. */
  cases = 0;
  /** After which it does not open. */
  refused = 0;
  /** Blocks that cannot be read. */
  failed = 0;
  /** Blocks that are right. */
  right = 0;
  /** Bytes that are wrong. */
  wrong = 0;
  /** Files, directories and links that cannot be read, are other, are right. */
  readonly things = { failed: 0, other: 0, right: 0 };
}

/** Rows of a table, made when they are needed. */
export class Tallies {
  readonly #rows: Map<string, Tally> = new Map();

  /** The tally of a row. */
  row(name: string): Tally {
    let tally = this.#rows.get(name);
    if (!tally) this.#rows.set(name, tally = new Tally());
    return tally;
  }

  /** Wrong bytes of all rows. */
  get wrong(): number {
    return [...this.#rows.values()].reduce((sum, row) => sum + row.wrong, 0);
  }

  /** Prints the table. */
  print(title: string): void {
    const line = (name: string, cells: unknown[]): void =>
      console.log(
        name.padEnd(56) + cells.map((cell) => `${cell}`.padStart(8)).join(""),
      );
    const blocks = ["cases", "refused", "failed", "right", "wrong"];
    line(title, [...blocks, "failed", "other", "right"]);
    for (const [name, tally] of this.#rows) {
      const { cases, refused, failed, right, wrong, things } = tally;
      const { failed: lost, other, right: seen } = things;
      line(`  ${name}`, [
        cases,
        refused,
        failed,
        right,
        wrong,
        lost,
        other,
        seen,
      ]);
    }
  }
}

/** Says how the columns of {@link Tallies.print} are to be read. */
export const LEGEND = "cases; then those refused at opening; then, of all " +
  "that were read after the others: blocks that failed and that were right, " +
  "wrong bytes; files that failed, were other, were right";

const buffers = new Map<number, Uint8Array>();

/** Memory to read into, which the next call gives away again. */
function buffer(byteLength: number): Uint8Array {
  let bytes = buffers.get(byteLength);
  if (!bytes) buffers.set(byteLength, bytes = new Uint8Array(byteLength));
  return bytes;
}

/** What is read of a device. */
interface Extent {
  /** Number of blocks, from the first on; all if absent. */
  readonly end?: number;
}

/**
 * Reads every block of a device that verifies: those that are `failing` must
 * fail, all others must be those of `plain`.
 */
export function readBlocks(
  device: BlockDevice,
  { failing, plain, end: last = device.blockCount }: Extent & {
    failing: ReadonlySet<number>;
    plain: Uint8Array;
  },
  tally: Tally,
): void {
  const { blockSize } = device;
  const bytes = buffer(device.blockCount * blockSize);
  let next = 0;
  const rightTo = (end: number): void => {
    if (end === next) return;
    const [from, to] = [next * blockSize, end * blockSize];
    const run = bytes.subarray(from, to);
    device.read(next, run);
    tally.wrong += wrongBytes(run, plain.subarray(from, to));
    tally.right += end - next;
  };
  for (const block of [...failing].sort((a, b) => a - b)) {
    rightTo(block);
    failsToRead(device, block);
    tally.failed++;
    next = block + 1;
  }
  rightTo(last);
}

function failsToRead(device: BlockDevice, block: number): void {
  const into = buffer(device.blockSize).fill(0xee);
  assert.throws(
    () => device.read(block, into),
    (error) => error instanceof IntegrityError && error.block === block,
    `block ${block}`,
  );
  // Nothing of what was not verified is given away.
  const [first] = into;
  assert.ok(first === 0xee || first === 0);
  for (let i = 1; i < into.length; i++) assert.ok(into[i] === first);
}

/** Number of bytes that are not as they should be. */
export function wrongBytes(bytes: Uint8Array, expected: Uint8Array): number {
  if (isSame(bytes, expected)) return 0;
  let wrong = 0;
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== expected[i]) wrong++;
  }
  return wrong;
}

function meets(a: ReadonlySet<number>, b: ReadonlySet<number>): boolean {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  for (const block of small) if (large.has(block)) return true;
  return false;
}

/**
 * Reads everything through the filesystem. What needs a block of `touched`
 * must fail if the device verifies, and may be anything if not; all else must
 * be as it was. Closes the device.
 */
export async function readThings(
  scene: Pick<Scene, "reading" | "tree">,
  device: BlockDevice,
  { touched }: { touched: ReadonlySet<number> },
  tally: Tally,
): Promise<void> {
  const { opening, things }: Reading = scene.reading;
  const sights = await tryReading(device);
  const verifies = scene.tree !== null;
  if (meets(opening, touched)) {
    if (verifies) assert.ok(sights instanceof IntegrityError, String(sights));
    if (sights instanceof Error) tally.things.failed += things.length;
    else count(sights, scene.reading, tally);
    return;
  }
  assert.ok(!(sights instanceof Error), String(sights));
  for (const [i, { path, seen, needs }] of things.entries()) {
    const sight: Sight = sights[i];
    if (!meets(needs, touched)) assert.equal(sight, seen, path);
    else if (verifies) {
      assert.ok(sight instanceof IntegrityError, `${path}: ${sight}`);
    }
  }
  count(sights, scene.reading, tally);
}

function count(sights: Sight[], { things }: Reading, tally: Tally): void {
  for (const [i, sight] of sights.entries()) {
    if (sight instanceof Error) tally.things.failed++;
    else if (sight === things[i].seen) tally.things.right++;
    else tally.things.other++;
  }
}

const UNIT = 16;

/** Whether bytes are all zeros. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/**
 * Reads every block of a device that only encrypts. Where the host has put
 * something into its files, there is what docs/security.md says: zeros for
 * zeros, the old for the old, a unit of noise for a changed unit of 16 bytes,
 * and noise for all else. Everywhere else all is right.
 */
export function readNoise(
  scene: Scene,
  device: BlockDevice,
  { touched, image, end = device.blockCount }: Extent & {
    touched: ReadonlySet<number>;
    image: Uint8Array;
  },
  tally: Tally,
): void {
  const { blockSize } = device;
  const { plain } = present(scene);
  const bytes = buffer(end * blockSize);
  device.read(0, bytes);
  for (const block of touched) {
    const from = block * blockSize;
    const part = (all: Uint8Array): Uint8Array =>
      all.subarray(from, from + blockSize);
    checkNoise(scene, { read: part(bytes), stored: part(image), part });
    tally.wrong += wrongBytes(part(bytes), part(plain));
    bytes.set(part(plain), from);
  }
  tally.right += end - touched.size;
  assert.equal(wrongBytes(bytes, plain.subarray(0, end * blockSize)), 0);
}

function checkNoise(
  scene: Scene,
  { read, stored, part }: {
    read: Uint8Array;
    stored: Uint8Array;
    part: (all: Uint8Array) => Uint8Array;
  },
): void {
  if (isZero(stored)) return assert.ok(isZero(read));
  for (const { files, plain } of scene.moments) {
    if (isSame(stored, part(files.get("image")!))) {
      return assert.ok(isSame(read, part(plain)));
    }
  }
  const now = present(scene);
  const before = part(now.files.get("image")!);
  // What was zeros was no ciphertext: all of it is noise now.
  const wasNoise = !isZero(before);
  const plain = part(now.plain);
  for (let at = 0; at < read.length; at += UNIT) {
    const unit = (all: Uint8Array): Uint8Array => all.subarray(at, at + UNIT);
    const stays = wasNoise && isSame(unit(stored), unit(before));
    assert.equal(isSame(unit(read), unit(plain)), stays);
  }
}
