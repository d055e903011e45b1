/**
 * The volumes that random walks are made on: each block size and inode size,
 * plain and with failing device calls, and one that is often full; and on the
 * other devices, more briefly.
 *
 * @module
 */

import { CBC_STACKS, VERICRYPT_STACK } from "./device_stacks.ts";
import type { WalkOptions } from "./walk.ts";

/** A walk without its seed, and how long it is in the test suite. */
export interface NamedWalk extends Omit<WalkOptions, "seed"> {
  /** What is special about it. */
  name: string;
  /** Steps in the test suite. */
  steps: number;
}

const MIB = 1 << 20;

function shape(
  blockSize: number,
  inodeSize: 128 | 256,
  bytes = 24 * MIB,
): WalkOptions["shape"] {
  const blockCount = bytes / blockSize;
  return { blockSize, inodeSize, blockCount, inodeCount: 1024 };
}

/** Every walk. */
export const WALKS: readonly NamedWalk[] = [
  {
    name: "1024-byte blocks, 128-byte inodes, a cache of 64 blocks",
    shape: shape(1024, 128),
    cacheSize: 64 * 1024,
    steps: 20_000,
  },
  {
    name: "1024-byte blocks, 256-byte inodes, a volume often full",
    shape: { ...shape(1024, 256, 1 * MIB), inodeCount: 128 },
    cacheSize: 64 * 1024,
    steps: 20_000,
  },
  {
    name: "2048-byte blocks, 256-byte inodes, several groups",
    shape: shape(2048, 256, 70 * MIB),
    cacheSize: 64 * 2048,
    steps: 20_000,
  },
  {
    name: "2048-byte blocks, revision 0, the default cache",
    shape: { ...shape(2048, 128), revision: 0 },
    steps: 20_000,
  },
  {
    name: "4096-byte blocks, 128-byte inodes, a cache of 64 blocks",
    shape: shape(4096, 128),
    cacheSize: 64 * 4096,
    steps: 20_000,
  },
  {
    name: "4096-byte blocks, 256-byte inodes, the default cache",
    shape: shape(4096, 256),
    steps: 20_000,
  },
  {
    name: "failing device, 1024-byte blocks, 128-byte inodes",
    shape: shape(1024, 128),
    cacheSize: 64 * 1024,
    faults: true,
    steps: 20_000,
  },
  {
    name: "failing device, 2048-byte blocks, often full",
    shape: { ...shape(2048, 128, 1 * MIB), inodeCount: 128 },
    cacheSize: 32 * 2048,
    faults: true,
    steps: 20_000,
  },
  {
    name: "failing device, 4096-byte blocks, 256-byte inodes",
    shape: shape(4096, 256),
    cacheSize: 64 * 4096,
    faults: true,
    steps: 20_000,
  },
  {
    name: "bd-crypt with CBC, 2048-byte blocks",
    stack: CBC_STACKS[0],
    shape: shape(2048, 256),
    cacheSize: 64 * 2048,
    steps: 4000,
  },
  {
    name: "bd-vericrypt with pages, 1024-byte blocks, a volume often full",
    stack: VERICRYPT_STACK,
    shape: { ...shape(1024, 256, 1 * MIB), inodeCount: 128 },
    cacheSize: 64 * 1024,
    steps: 6000,
  },
  {
    name: "bd-vericrypt with an array, 4096-byte blocks",
    stack: CBC_STACKS[1],
    shape: shape(4096, 256),
    cacheSize: 64 * 4096,
    steps: 4000,
  },
  {
    name: "bd-vericrypt with pages on a failing host, 1024-byte blocks",
    stack: VERICRYPT_STACK,
    shape: shape(1024, 128),
    cacheSize: 64 * 1024,
    faults: true,
    steps: 6000,
  },
  {
    name: "bd-vericrypt with an array on a failing host, 4096-byte blocks",
    stack: CBC_STACKS[1],
    shape: shape(4096, 256),
    cacheSize: 64 * 4096,
    faults: true,
    steps: 4000,
  },
];
