/**
 * Reading what a path or a descriptor leads to, which may have no end.
 *
 * @module
 */

import { errnoOf } from "./errors.ts";

/**
 * Reads by `readSync` to the end, or `most` bytes: whoever gets so many knows
 * that there may be more. No copy of them is left in memory.
 */
export function readBounded(
  readSync: (into: Uint8Array) => number | null,
  most: number,
): Uint8Array {
  const buffer = new Uint8Array(most);
  try {
    let length = 0;
    while (length < most) {
      const count = uninterrupted(() => readSync(buffer.subarray(length)));
      if (count === null || count === 0) break;
      length += count;
    }
    return buffer.slice(0, length);
  } finally {
    buffer.fill(0);
  }
}

/** `bytes` without one newline at their end; they themselves are overwritten. */
export function withoutNewline(bytes: Uint8Array): Uint8Array {
  const end = bytes.at(-1) === 0x0a ? bytes.length - 1 : bytes.length;
  const rest = bytes.slice(0, end);
  bytes.fill(0);
  return rest;
}

/** Calls again what a signal has interrupted (`EINTR`). */
function uninterrupted<T>(call: () => T): T {
  for (;;) {
    try {
      return call();
    } catch (error) {
      if (errnoOf(error) !== "EINTR") throw error;
    }
  }
}
