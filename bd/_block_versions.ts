/**
 * For tests: blocks that are filled with one number each, their version.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { MemoryDevice } from "./memory.ts";

/** Fills a block with `version`, a 32-bit number. */
export function fill(block: Uint8Array, version: number): void {
  words(block).fill(version);
}

/** The version that a block is filled with; throws if there are several. */
export function versionOf(block: Uint8Array): number {
  const all = words(block);
  assert.ok(all.every((word) => word === all[0]), "a torn block");
  return all[0];
}

/** The version of `block` on `device`. */
export function stored(device: MemoryDevice, block: number): number {
  const bytes = new Uint8Array(device.blockSize);
  device.read(block, bytes);
  return versionOf(bytes);
}

function words({ buffer, byteOffset, byteLength }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, byteLength / 4);
}
