/**
 * A host that lies in many ways about a verified device.
 *
 * @module
 */

import type { MemoryDevice } from "../../bd/memory.ts";
import { serving, type Tamper } from "./hostile.ts";
import type { Random } from "./random.ts";
import type { VeritySpecimen } from "./verity.ts";

/** A host that does something else every few steps. */
export class Liar {
  readonly #random: Random;
  readonly #specimen: VeritySpecimen;
  readonly #tree: Uint8Array;
  readonly #image: MemoryDevice;

  /** Remembers what `specimen` has stored now. */
  constructor(specimen: VeritySpecimen, random: Random) {
    const { image, tree } = specimen.copy();
    this.#specimen = specimen;
    this.#random = random;
    this.#image = image;
    this.#tree = tree.bytes;
  }

  /** A way to lie about the tree. */
  treeLie(): Tamper {
    const random = this.#random;
    const old = serving(this.#tree);
    return random.pick<Tamper>([
      old,
      (position, bytes) => random.chance(0.5) && old(position, bytes),
      (_, bytes) => random.chance(0.3) && bytes.fill(0),
      (_, bytes) => {
        bytes[random.below(bytes.length)] ^= 1 << random.below(8);
      },
      (position, bytes) => {
        // Another place of the tree, or of the one that was.
        const other = random.below(this.#tree.length - bytes.length);
        const place = random.chance(0.5) ? other - other % 32 : position;
        const { bytes: present } = this.#specimen.tree;
        const from = random.pick([this.#tree, present]);
        bytes.set(from.subarray(place, place + bytes.length));
      },
      (position, bytes) => {
        // One node of a page is old, the others are not.
        const at = random.below(bytes.length >> 5) << 5;
        old(position + at, bytes.subarray(at, at + 32));
      },
    ]);
  }

  /** A way to lie about the image. */
  imageLie(): Tamper {
    const random = this.#random;
    const old: Tamper = (position, bytes) =>
      this.#image.read(position / this.#image.blockSize, bytes);
    return random.pick<Tamper>([
      old,
      (position, bytes) => random.chance(0.5) && old(position, bytes),
      (_, bytes) => {
        bytes[random.below(bytes.length)] ^= 1 << random.below(8);
      },
      (_, bytes) => bytes.copyWithin(0, this.#image.blockSize),
    ]);
  }

  /** Puts something back in place, for good. */
  damage(): void {
    const at = this.#random.below(this.#tree.length >> 5) << 5;
    const end = at + this.#random.pick([32, 64, 4096]);
    this.#specimen.tree.bytes.set(this.#tree.subarray(at, end), at);
  }
}
