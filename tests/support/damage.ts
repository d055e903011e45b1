/**
 * What a host can do to the files of a scene, block by block and page by page,
 * and which blocks cannot be read then.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { blocksBelowParent, nodeNumbers } from "./at_rest.ts";
import { type FileName, type Files, present, type Scene } from "./scene.ts";
import type { TreeKind } from "./verity.ts";

/** What the tree is written in, and what it consists of, in bytes. */
const PAGE = 4096;
const NODE = 32;

/** Bytes put at a place of a file. */
export interface Patch {
  readonly file: FileName;
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** One thing that the host does. */
export interface Damage {
  /** What is damaged, and how: a row of the table. */
  readonly row: string;
  readonly patches: readonly Patch[];
}

/** The files of a scene, as the host has them. */
export class Host {
  readonly #scene: Scene;
  readonly #handles: Map<FileName, Deno.FsFile> = new Map();

  constructor(scene: Scene) {
    this.#scene = scene;
    this.restore();
  }

  /** Changes some bytes. */
  patch(patches: readonly Patch[]): void {
    for (const { file, at, bytes } of patches) this.#write(file, at, bytes);
  }

  /** Undoes {@link Host.patch}. */
  unpatch(patches: readonly Patch[]): void {
    const { files } = present(this.#scene);
    for (const { file, at, bytes } of patches) {
      const before = files.get(file)!.subarray(at, at + bytes.length);
      this.#write(file, at, before);
    }
  }

  /** Puts other files in the place of those that are there; null for none. */
  replace(files: ReadonlyMap<FileName, Uint8Array | null>): void {
    this.close();
    for (const [file, bytes] of files) {
      const path = this.#scene.paths.get(file)!;
      if (bytes) Deno.writeFileSync(path, bytes);
      else Deno.removeSync(path);
    }
  }

  /** Puts back the present files. */
  restore(): void {
    this.replace(present(this.#scene).files);
  }

  /** Gives up the files. */
  close(): void {
    for (const handle of this.#handles.values()) handle.close();
    this.#handles.clear();
  }

  #write(file: FileName, at: number, bytes: Uint8Array): void {
    let handle = this.#handles.get(file);
    if (!handle) {
      const path = this.#scene.paths.get(file)!;
      handle = Deno.openSync(path, { read: true, write: true });
      this.#handles.set(file, handle);
    }
    handle.seekSync(at, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) {
      done += handle.writeSync(bytes.subarray(done));
    }
  }
}

/** Whether a part of two files is the same. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** What {@link blockDamages} damages, one by one. */
export interface Units {
  readonly file: FileName;
  /** Size of each, in bytes; the last may have less. */
  readonly size: number;
  /** Their numbers. */
  readonly numbers: readonly number[];
  /** What one is called. */
  readonly what: string;
  /** Others that each may change places with. */
  readonly others?: readonly number[];
}

/** The pages, or as many bytes, of the tree. */
export function treePages(scene: Scene): Units {
  const { length } = present(scene).files.get("tree")!;
  const count = Math.ceil(length / PAGE);
  const numbers = Array.from({ length: count }, (_, page) => page);
  return { file: "tree", size: PAGE, numbers, what: "a page" };
}

/** The blocks of the image that are used, or those that are not. */
export function imageBlocks(scene: Scene, kind: "used" | "unused"): Units {
  const moment = present(scene);
  const [used, unused] = [true, false].map((which) =>
    moment.used.flatMap((is, block) => is === which ? block : [])
  );
  const common = { file: "image", size: scene.blockSize } as const;
  return kind === "unused"
    ? { ...common, numbers: unused, what: "an unused block" }
    : { ...common, numbers: used, what: "a block", others: unused };
}

/**
 * Everything that can be done to each of `units` alone, and to two of them. A
 * change that changes nothing is left out.
 */
export function* blockDamages(scene: Scene, units: Units): Generator<Damage> {
  const { file, size, numbers, what, others = [] } = units;
  const now = present(scene).files.get(file)!;
  const unit = (files: Files, number: number): Uint8Array =>
    files.get(file)!.subarray(number * size, (number + 1) * size);
  const earlier = scene.moments.slice(0, -1).toReversed();
  for (const [i, number] of numbers.entries()) {
    const before = now.subarray(number * size, (number + 1) * size);
    const flipped = before.slice();
    flipped[number * 131 % before.length] ^= 1 << number % 8;
    const old = earlier.find(({ files }) =>
      !isSame(unit(files, number), before)
    );
    const ways: [string, Uint8Array | undefined][] = [
      ["a bit flipped", flipped],
      ["zeroed", new Uint8Array(before.length)],
      ["an old copy", old && unit(old.files, number)],
      ["the twin's", unit(scene.twin.files, number)],
    ];
    for (const [way, bytes] of ways) {
      if (!bytes || isSame(bytes, before)) continue;
      const patch = { file, at: number * size, bytes };
      yield { row: `${what}: ${way}`, patches: [patch] };
    }
    const swaps: [string, number | undefined][] = [
      ["swapped with another", numbers[(i + 1) % numbers.length]],
      ["swapped with an unused one", others[i * 7 % others.length]],
    ];
    for (const [way, other] of swaps) {
      if (other === undefined) continue;
      const places = [number * size, other * size];
      const patches = swapped(now, { file, places, size });
      if (patches) yield { row: `${what}: ${way}`, patches };
    }
  }
}

/** Two parts of a file, each in the place of the other; null if equal. */
function swapped(
  now: Uint8Array,
  { file, places: [a, b], size }: {
    file: FileName;
    places: number[];
    size: number;
  },
): Patch[] | null {
  const length = Math.min(size, now.length - a, now.length - b);
  const [first, second] = [a, b].map((at) => now.subarray(at, at + length));
  if (isSame(first, second)) return null;
  return [{ file, at: a, bytes: second }, { file, at: b, bytes: first }];
}

/** A flipped bit in each node of the pages that `isWanted`. */
export function* nodeDamages(
  scene: Scene,
  isWanted: (page: number) => boolean,
): Generator<Damage> {
  const now = present(scene).files.get("tree")!;
  for (let at = 0; at < now.length; at += NODE) {
    if (!isWanted(Math.floor(at / PAGE))) continue;
    const bytes = now.slice(at, at + NODE);
    bytes[at / NODE % NODE] ^= 1 << at / NODE % 8;
    yield {
      row: "a node: a bit flipped",
      patches: [{ file: "tree", at, bytes }],
    };
  }
}

/** Tells which blocks cannot be read after a damage. */
export class Prophet {
  readonly #scene: Scene;
  readonly #numbers: ReadonlyMap<number, number>;
  readonly #below: Map<number, readonly number[]> = new Map();

  constructor(scene: Scene) {
    this.#scene = scene;
    const { tree, blockCount } = scene;
    this.#numbers = tree ? nodeNumbers(tree, blockCount) : new Map();
  }

  /** Blocks whose bytes or hashes are not those that they have to be. */
  failing(patches: readonly Patch[]): Set<number> {
    const failing = new Set<number>();
    for (const patch of patches) {
      if (patch.file === "image") this.#image(patch, failing);
      if (patch.file === "tree") this.#tree(patch, failing);
    }
    return failing;
  }

  #image(patch: Patch, failing: Set<number>): void {
    const { used } = present(this.#scene);
    for (const at of this.#changed(patch, this.#scene.blockSize)) {
      const block = Math.floor(at / this.#scene.blockSize);
      if (used[block]) failing.add(block);
    }
  }

  #tree(patch: Patch, failing: Set<number>): void {
    const { tree, blockCount } = this.#scene;
    for (const at of this.#changed(patch, NODE)) {
      const node = this.#numbers.get(at - at % NODE) ?? 1;
      // The root is trusted, and what is no node is not looked at.
      if (node === 1) continue;
      let below = this.#below.get(node >> 1);
      if (!below) {
        below = blocksBelowParent(tree as TreeKind, blockCount, node);
        this.#below.set(node >> 1, below);
      }
      for (const block of below) failing.add(block);
    }
  }

  /** Where the patch changes something, in steps of `size`. */
  *#changed({ file, at, bytes }: Patch, size: number): Generator<number> {
    const now = present(this.#scene).files.get(file)!;
    for (let done = 0; done < bytes.length; done += size) {
      const end = Math.min(done + size, bytes.length);
      const before = now.subarray(at + done, at + end);
      if (!isSame(before, bytes.subarray(done, end))) yield at + done;
    }
  }
}
