/**
 * The group descriptors: whether bitmaps and inode tables are where they can
 * be, and the copies of superblock and descriptors.
 *
 * @module
 */

import { GROUP_DESCRIPTOR, GROUP_DESCRIPTOR_SIZE } from "../block_group.ts";
import { SUPERBLOCK, SUPERBLOCK_SIZE, superblockAt } from "../superblock.ts";
import { superblockBlock } from "../superblock.ts";
import type { Check } from "./_check.ts";
import {
  arePossible,
  type GroupPlaces as Places,
  PLACES,
  placesAt,
} from "./_group_places.ts";

/** Checks all of them, in steps of a group. */
export function* checkGroups(check: Check): Generator<void> {
  const { groupCount, descriptorBlocks, firstDataBlock } = check.geometry;
  for (let i = 0; i < descriptorBlocks; i++) {
    if (check.store.tryView(firstDataBlock + 1 + i) !== null) continue;
    check.findings.add("group.descriptors", { block: firstDataBlock + 1 + i });
    restoreDescriptors(check, i);
  }
  for (let group = 0; group < groupCount; group++) {
    checkPlaces(check, group);
    yield;
  }
  for (let group = 1; group < groupCount; group++) {
    if (!check.geometry.hasSuperblock(group)) continue;
    checkCopy(check, group);
    yield;
  }
}

/** Fills block `i` of the descriptor table from a copy, or with zeros. */
function restoreDescriptors(check: Check, i: number): void {
  const { store, geometry } = check;
  const copy = copyOfDescriptors(check, i);
  const block = geometry.firstDataBlock + 1 + i;
  const bytes = copy?.slice();
  const restored = store.replace(block);
  if (bytes) restored.set(bytes);
}

/** Block `i` of the first copy of the descriptor table that can be read. */
function copyOfDescriptors(check: Check, i: number): Uint8Array | null {
  const { store, geometry } = check;
  for (let group = 1; group < geometry.groupCount; group++) {
    if (!geometry.hasSuperblock(group)) continue;
    const bytes = store.tryView(geometry.groupStart(group) + 1 + i);
    if (bytes !== null) return bytes;
  }
  return null;
}

function checkPlaces(check: Check, group: number): void {
  const { findings } = check;
  const stored = storedPlaces(check, group);
  const found = settle(check, group, stored);
  for (const { name, field, code } of PLACES) {
    if (found[name] === stored[name]) continue;
    findings.add(code, { group }, {
      stored: stored[name],
      found: found[name],
    });
    check.setDescriptor(group, field, found[name]);
  }
  const flags = check.descriptor(group, GROUP_DESCRIPTOR.bg_flags);
  if (flags !== 0) {
    findings.add("group.flags", { group }, { stored: flags });
    check.setDescriptor(group, GROUP_DESCRIPTOR.bg_flags, 0);
  }
  check.blockBitmaps[group] = found.blockBitmap;
  check.inodeBitmaps[group] = found.inodeBitmap;
  check.inodeTables[group] = found.inodeTable;
}

/**
 * The places of a group: those stored, as far as they are possible, else those
 * of a copy, else the usual ones.
 */
function settle(check: Check, group: number, stored: Places): Places {
  const { geometry } = check;
  const first = geometry.groupStart(group) +
    geometry.superblockOverhead(group);
  const usual: Places = {
    blockBitmap: first,
    inodeBitmap: first + 1,
    inodeTable: first + 2,
  };
  const copy = placesOfCopy(check, group);
  if (arePossible(check.geometry, group, stored)) {
    // Places never change: where a copy says the usual, and the primary
    // something else, the primary is wrong.
    return copy !== null && isSame(copy, usual) ? copy : stored;
  }
  for (const other of copy ? [copy, usual] : [usual]) {
    for (const replaced of SUBSETS) {
      const mixed = { ...stored };
      for (const name of replaced) mixed[name] = other[name];
      if (arePossible(check.geometry, group, mixed)) return mixed;
    }
  }
  return usual;
}

const isSame = (a: Places, b: Places): boolean =>
  a.blockBitmap === b.blockBitmap && a.inodeBitmap === b.inodeBitmap &&
  a.inodeTable === b.inodeTable;

/** What is replaced: one place alone if that will do. */
const SUBSETS: readonly (readonly (keyof Places)[])[] = [
  ["blockBitmap"],
  ["inodeBitmap"],
  ["inodeTable"],
  ["blockBitmap", "inodeBitmap"],
  ["blockBitmap", "inodeTable"],
  ["inodeBitmap", "inodeTable"],
  ["blockBitmap", "inodeBitmap", "inodeTable"],
];

function placesOfCopy(check: Check, group: number): Places | null {
  const byte = group * GROUP_DESCRIPTOR_SIZE;
  const { blockSize } = check.geometry;
  const bytes = copyOfDescriptors(check, Math.floor(byte / blockSize));
  if (bytes === null) return null;
  return placesAt(bytes, byte % blockSize);
}

function storedPlaces(check: Check, group: number): Places {
  const places = { blockBitmap: 0, inodeBitmap: 0, inodeTable: 0 };
  for (const { name, field } of PLACES) {
    places[name] = check.descriptor(group, field);
  }
  return places;
}

/** Writes what cannot be read of the copies at the start of `group`. */
function checkCopy(check: Check, group: number): void {
  const { store, geometry } = check;
  const { blockSize, firstDataBlock, descriptorBlocks } = geometry;
  const start = geometry.groupStart(group);
  for (let i = 0; i < geometry.superblockOverhead(group); i++) {
    // Blocks kept for growth are only looked at where they are known as bad.
    if (i <= descriptorBlocks) {
      if (store.tryView(start + i) !== null) continue;
    } else if (!store.unreadable.has(start + i)) continue;
    check.findings.add("group.copy_unreadable", { group, block: start + i });
    const bytes = store.replace(start + i);
    if (i === 0) {
      const at = superblockAt(blockSize);
      const primary = store.view(superblockBlock(blockSize));
      bytes.set(primary.subarray(at, at + SUPERBLOCK_SIZE));
      SUPERBLOCK.s_state.set(bytes, 0, 0);
      if (geometry.revision > 0) {
        SUPERBLOCK.s_block_group_nr.set(bytes, 0, group);
      }
    } else if (i <= descriptorBlocks) {
      bytes.set(store.view(firstDataBlock + i));
    }
  }
}
