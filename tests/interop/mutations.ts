/**
 * Messages with something about them changed.
 *
 * @module
 */

import { encoded } from "../../rpc/document/recorder.ts";
import type { Random } from "../support/random.ts";

/** Integers at the bounds of the wire's types, and beside them. */
const INTEGERS: readonly number[] = [
  ...[-1, 0, 1, 2, 3, 7, 8, 15, 16, 17, 100, 255, 256, 1024, 1025],
  ...[0o7777, 0o10000, 65535, 65536, 1048575, 1048576, 1048577],
  ...[999999999, 1000000000, 2 ** 32 - 1, 2 ** 32],
  ...[Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER],
];
/** Lengths at the bounds of byte strings, and beside them. */
const LENGTHS = [0, 1, 2, 15, 16, 17, 31, 32, 33, 255, 256, 4095, 4096, 65537];
/** Lengths at the bounds of text strings, and beside them. */
const TEXT_LENGTHS = [0, 1, 4, 5, 16, 17, 21, 22, 64, 65];

/** A value out of thin air. */
function anyValue(random: Random): unknown {
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2:
      return random.pick(INTEGERS);
    case 3:
      return new Uint8Array(random.pick(LENGTHS)).fill(97);
    case 4:
      return random.pick(["a", "€"]).repeat(random.pick(TEXT_LENGTHS));
    case 5:
      return random.pick([false, true, null]);
    case 6:
      return Array.from({ length: random.below(4) }, () => anyValue(random));
    default:
      return Array.from({ length: random.pick([16, 17]) }, () => 0);
  }
}

/** One change of one item of `items`, or of one within an item. */
function changed(items: readonly unknown[], random: Random): unknown[] {
  const copy = [...items];
  const at = random.below(copy.length + 1);
  const item = copy[at];
  if (Array.isArray(item) && item.length > 0 && random.chance(0.7)) {
    copy[at] = changed(item, random);
    return copy;
  }
  switch (random.below(6)) {
    case 0:
      copy.splice(at, 1);
      break;
    case 1:
      copy.splice(at, 0, anyValue(random));
      break;
    case 2:
      copy.splice(at, 0, item ?? null);
      break;
    case 3:
      if (typeof item === "number") copy[at] = item + random.pick([-1, 1]);
      else copy[at] = anyValue(random);
      break;
    default:
      copy[at] = anyValue(random);
  }
  return copy;
}

/** The bytes of a message that differs from `items` in a value or two. */
export function withChangedValues(
  items: readonly unknown[],
  random: Random,
): Uint8Array {
  let mutant = changed(items, random);
  if (random.chance(0.3)) mutant = changed(mutant, random);
  return encoded(mutant).frame.subarray(4);
}

/** The bytes of a message with a byte or two changed, added or removed. */
export function withChangedBytes(
  message: Uint8Array,
  random: Random,
): Uint8Array {
  const bytes = [...message];
  for (let i = 0; i <= random.below(2); i++) {
    const at = random.below(bytes.length);
    const kind = random.below(4);
    if (kind === 0) bytes.splice(at, 1);
    else if (kind === 1) bytes.splice(at, 0, random.below(256));
    else bytes[at] = random.below(256);
  }
  return Uint8Array.from(bytes);
}
