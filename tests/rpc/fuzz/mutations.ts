/**
 * What can become of bytes on their way.
 *
 * @module
 */

import type { Random } from "../../support/random.ts";

/** Heads of CBOR items that the wire does not have. */
const FOREIGN = [0x9f, 0xff, 0xa1, 0xc0, 0xfb, 0x5f, 0x7f, 0x1b, 0x9b, 0x5b];

/** Damages bytes in one to four places. */
export function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  let changed = [...bytes];
  for (let count = 1 + random.below(4); count > 0; count--) {
    const at = random.below(changed.length || 1);
    const length = 1 + random.below(8);
    const piece = changed.slice(at, at + length);
    switch (random.below(7)) {
      case 0:
        changed[at] = random.below(256);
        break;
      case 1:
        changed[at] ^= 1 << random.below(8);
        break;
      case 2:
        changed.splice(at, length);
        break;
      case 3:
        changed.splice(random.below(changed.length || 1), 0, ...piece);
        break;
      case 4:
        changed.splice(at, 0, ...random.bytes(length));
        break;
      case 5:
        changed.splice(at, 0, random.pick(FOREIGN));
        break;
      default:
        if (random.below(4) === 0) changed = changed.slice(0, at);
        else changed[at] = random.pick([0, 0x17, 0x18, 0x7f, 0x80, 0xff]);
    }
  }
  return Uint8Array.from(changed);
}

/**
 * Damages a conversation, which is given as its frames: frames come twice, in
 * another order, not at all, with another length, or with damage inside.
 */
export function mutatedFrames(
  random: Random,
  frames: readonly Uint8Array[],
): Uint8Array[] {
  const changed = [...frames];
  for (let count = 1 + random.below(3); count > 0; count--) {
    // The hello is left alone, mostly: nothing comes behind one that is not.
    const first = random.chance(0.9) ? 1 : 0;
    const at = first + random.below(Math.max(1, changed.length - first));
    const frame = changed[at];
    if (frame === undefined) break;
    switch (random.below(8)) {
      case 0:
        changed.splice(at, 0, frame);
        break;
      case 1:
        changed.splice(at, 1);
        break;
      case 2: {
        const other = first + random.below(changed.length - first);
        [changed[at], changed[other]] = [changed[other], frame];
        break;
      }
      case 3:
        changed[at] = withLength(frame, frame.length - 4 + random.below(9) - 4);
        break;
      case 4:
        changed[at] = mutated(random, frame);
        break;
      case 5:
        changed[at] = frame.subarray(0, random.below(frame.length));
        break;
      default: {
        const body = mutated(random, frame.subarray(4));
        changed[at] = withLength(Uint8Array.of(0, 0, 0, 0, ...body));
      }
    }
  }
  return changed;
}

/** The same frame with another length in front; the right one if absent. */
function withLength(frame: Uint8Array, length?: number): Uint8Array {
  const copy = frame.slice();
  const right = Math.max(0, frame.length - 4);
  if (copy.length >= 4) {
    new DataView(copy.buffer).setUint32(0, Math.max(0, length ?? right));
  }
  return copy;
}
