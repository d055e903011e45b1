/**
 * Where the bitmaps and the inode table of a group are, and where they can be.
 *
 * @module
 */

import { GROUP_DESCRIPTOR } from "../block_group.ts";
import type { Geometry } from "../geometry.ts";
import type { U32 } from "../layout.ts";
import type { ProblemCode } from "./problems.ts";

/** Where the structures of a group are. */
export interface GroupPlaces {
  /** Block of the bitmap of its blocks. */
  blockBitmap: number;
  /** Block of the bitmap of its inodes. */
  inodeBitmap: number;
  /** First block of its inode table. */
  inodeTable: number;
}

/** The three places of a group, in the order in which they are trusted. */
export const PLACES: readonly {
  readonly name: keyof GroupPlaces;
  readonly field: U32;
  readonly code: ProblemCode;
}[] = [
  {
    name: "inodeTable",
    field: GROUP_DESCRIPTOR.bg_inode_table,
    code: "group.inode_table_place",
  },
  {
    name: "blockBitmap",
    field: GROUP_DESCRIPTOR.bg_block_bitmap,
    code: "group.block_bitmap_place",
  },
  {
    name: "inodeBitmap",
    field: GROUP_DESCRIPTOR.bg_inode_bitmap,
    code: "group.inode_bitmap_place",
  },
];

/** The places that the descriptor at `at` in `bytes` says. */
export function placesAt(bytes: Uint8Array, at: number): GroupPlaces {
  const places = { blockBitmap: 0, inodeBitmap: 0, inodeTable: 0 };
  for (const { name, field } of PLACES) places[name] = field.get(bytes, at);
  return places;
}

/** Whether the structures lie in the group, and apart. */
export function arePossible(
  geometry: Geometry,
  group: number,
  { blockBitmap, inodeBitmap, inodeTable }: GroupPlaces,
): boolean {
  const start = geometry.groupStart(group);
  const first = start + geometry.superblockOverhead(group);
  const end = start + geometry.groupSize(group);
  const tableEnd = inodeTable + geometry.inodeTableBlocks;
  const isInside = (block: number): boolean => block >= first && block < end;
  const isApart = (block: number): boolean =>
    block < inodeTable || block >= tableEnd;
  return isInside(blockBitmap) && isInside(inodeBitmap) &&
    inodeTable >= first && tableEnd <= end && blockBitmap !== inodeBitmap &&
    isApart(blockBitmap) && isApart(inodeBitmap);
}
