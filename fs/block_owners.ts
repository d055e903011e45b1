/**
 * What device blocks belong to: the way back from a block that is bad to the
 * file, or the structure of the volume, that suffers from it.
 *
 * The volume is damaged, or nobody would ask: what cannot be read is noted and
 * gone around. Structures are found by their places, files by a walk through
 * the directories, and files that no readable directory leads to by a walk
 * through the inode tables.
 *
 * Invariants:
 * - An inode is visited once, so that loops of directories end.
 * - The blocks visited are at most twice those of the volume: files that claim
 *   more share blocks, which no sound file does.
 * - Memory is a bit for each inode of the groups visited, and what a path of
 *   {@link DEPTH_MAX} directories takes.
 *
 * @module
 */

import type { BlockDevice } from "../bd/block_device.ts";
import { OwnerClaims } from "./_owner_claims.ts";
import { claimStructures } from "./_structure_owners.ts";
import { setBits, testBit } from "./bitmap.ts";
import type { BlockRun } from "./block_allocator.ts";
import type { BlockOwners, InodeOwner } from "./block_owner.ts";
import { entriesInBlock, isDots } from "./directory.ts";
import { CorruptError } from "./errors.ts";
import { ROOT_INODE } from "./geometry.ts";
import { Inode } from "./inode.ts";
import {
  type BlockRole,
  type DamageSink,
  expected,
  type InodeBlocks,
  inodeBlocks,
} from "./inode_blocks.ts";
import { checkFeatures } from "./mount.ts";
import { namedInode } from "./namespace.ts";
import { Volume } from "./volume.ts";

/** Directories on a path at most; what lies deeper is found without a path. */
const DEPTH_MAX = 1024;
/** Memory for blocks during a search, in bytes. */
const CACHE_BYTES = 16 << 20;

/** A name that was come by, and the directory that has it. */
interface Place {
  readonly ino: number;
  readonly name: Uint8Array;
  readonly parent: Place | null;
  readonly depth: number;
}

/**
 * Finds what `blocks` of the volume on `device` belong to. The search goes in
 * steps of about a block each, between which the caller may do other things;
 * it ends when every block has its owner. Where several files claim a block,
 * the first one found has it. The device is left open.
 *
 * Throws {@link DeviceError} or {@link FsError} if the superblock cannot be
 * read, or is none that the engine knows.
 */
export function* findBlockOwners(
  device: BlockDevice,
  blocks: Iterable<BlockRun>,
): Generator<void, BlockOwners> {
  const volume = new Volume(device, {
    readOnly: true,
    cacheSize: CACHE_BYTES,
  });
  checkFeatures(volume);
  const claims = new OwnerClaims(blocks);
  yield* claimStructures(volume, claims);
  const search = new OwnerSearch(volume, claims);
  for (const _ of search.steps()) {
    if (claims.remaining === 0) break;
    volume.cache.safePoint();
    yield;
  }
  return claims.finish();
}

/** The walks that find the files. */
class OwnerSearch {
  readonly #volume: Volume;
  readonly #claims: OwnerClaims;
  /** By group, a set bit for each inode that was visited. */
  readonly #visited = new Map<number, Uint8Array>();
  #budget: number;

  constructor(volume: Volume, claims: OwnerClaims) {
    this.#volume = volume;
    this.#claims = claims;
    this.#budget = 2 * volume.geometry.blocksCount;
  }

  *steps(): Generator<void> {
    yield* this.#walkTree();
    const { groupCount } = this.#volume.geometry;
    for (let group = 0; group < groupCount && !this.#isSpent; group++) {
      yield;
      yield* this.#walkTable(group);
    }
  }

  get #isSpent(): boolean {
    return this.#budget < 0;
  }

  /** Visits what the root leads to, depth first. */
  *#walkTree(): Generator<void> {
    const name = new Uint8Array();
    const root = { ino: ROOT_INODE, name, parent: null, depth: 0 };
    const open = [this.#visit(root)];
    while (open.length > 0 && !this.#isSpent) {
      const { done, value: place } = open.at(-1)!.next();
      if (done) open.pop();
      else if (place) open.push(this.#visit(place));
      yield;
    }
  }

  /**
   * Claims the blocks of the inode at `place`. Yields undefined where the
   * search may rest, and the places that are to be visited from here.
   */
  *#visit(place: Place): Generator<Place | undefined> {
    this.#markVisited(place.ino);
    try {
      const inode = namedInode(this.#volume, place);
      for (const { role, start, count, index } of this.#claim(inode, place)) {
        yield;
        if (role !== "data" || !inode.isDirectory) continue;
        for (let i = 0; i < count; i++) {
          yield* this.#entries(inode, place, {
            block: start + i,
            index: index + i,
          });
        }
      }
    } catch (error) {
      this.#note(error, place.ino, place);
    }
  }

  /** What one block of a directory leads to, but for what was visited. */
  *#entries(
    directory: Inode,
    place: Place,
    { block, index }: { block: number; index: number },
  ): Generator<Place> {
    const { cache, geometry: { blockSize } } = this.#volume;
    try {
      if (index * blockSize >= directory.size) return;
      const bytes = cache.read(block);
      for (const entry of entriesInBlock(directory, index, { block: bytes })) {
        const { ino, name } = entry;
        if (isDots(name) || this.#wasVisited(ino)) continue;
        if (place.depth === DEPTH_MAX) {
          throw new CorruptError("directories are nested too deeply", {
            inode: directory.number,
          });
        }
        yield { ino, name, parent: place, depth: place.depth + 1 };
      }
    } catch (error) {
      this.#note(error, place.ino, place);
    }
  }

  /** Visits the inodes of a group that are in use and were not visited. */
  *#walkTable(group: number): Generator<void> {
    const { inodesPerGroup, inodesPerBlock } = this.#volume.geometry;
    const bitmap = this.#inodeBitmap(group);
    const first = group * inodesPerGroup + 1;
    for (let i = 0; i < inodesPerGroup && !this.#isSpent; i++) {
      if (bitmap !== null && !testBit(bitmap, i)) continue;
      if (this.#wasVisited(first + i)) continue;
      this.#markVisited(first + i);
      try {
        const inode = new Inode(this.#volume, first + i);
        // Without the bitmap there is no telling what is on its way out.
        if (bitmap === null && inode.links === 0) continue;
        for (const _ of this.#claim(inode, null)) yield;
      } catch (error) {
        this.#note(error, first + i, null);
        // The whole block of the table cannot be read.
        i += inodesPerBlock - 1 - i % inodesPerBlock;
      }
      yield;
    }
  }

  /** A copy of the bitmap of a group's inodes; null if it cannot be read. */
  #inodeBitmap(group: number): Uint8Array | null {
    const volume = this.#volume;
    try {
      return volume.cache.read(volume.groupMetadata(group).inodeBitmap).slice();
    } catch (error) {
      this.#note(error, 0, null);
      return null;
    }
  }

  /** Claims the blocks of `inode`, and yields them. */
  *#claim(inode: Inode, place: Place | null): Generator<InodeBlocks> {
    const { number } = inode;
    // The links of a directory count its subdirectories as well.
    const names = inode.isDirectory ? Math.min(inode.links, 1) : inode.links;
    const kinds = inode.isDirectory ? KINDS_OF_DIRECTORY : KINDS;
    const owners = new Map<BlockRole, InodeOwner>();
    const ownerOf = (role: BlockRole): InodeOwner => {
      let owner = owners.get(role);
      if (owner === undefined) {
        const kind = kinds[role];
        owner = { kind, ino: number, path: pathOf(place), names };
        owners.set(role, owner);
      }
      return owner;
    };
    const damaged: DamageSink = (error) => this.#note(error, number, place);
    for (const run of inodeBlocks(inode, damaged)) {
      this.#claims.claim(run.start, run.count, () => ownerOf(run.role));
      if (run.role !== "attributes") this.#budget -= run.count;
      if (this.#isSpent) {
        throw new CorruptError("files claim more blocks than there are", {
          inode: number,
        });
      }
      yield run;
    }
  }

  #note(error: unknown, ino: number, place: Place | null): void {
    const known = expected(error);
    // Those of the format's own inodes may point to its structures.
    const { firstInode } = this.#volume.geometry;
    const isOwn = ino !== 0 && ino !== ROOT_INODE && ino < firstInode;
    if (isOwn && known instanceof CorruptError) return;
    this.#claims.note(known, { path: () => pathOf(place), ino });
  }

  #wasVisited(ino: number): boolean {
    const { group, index } = this.#bitOf(ino);
    const bits = this.#visited.get(group);
    return bits !== undefined && testBit(bits, index);
  }

  #markVisited(ino: number): void {
    const { inodesCount, inodesPerGroup } = this.#volume.geometry;
    if (ino > inodesCount) return;
    const { group, index } = this.#bitOf(ino);
    let bits = this.#visited.get(group);
    if (bits === undefined) {
      bits = new Uint8Array(inodesPerGroup / 8);
      this.#visited.set(group, bits);
    }
    setBits(bits, index, 1);
  }

  #bitOf(ino: number): { group: number; index: number } {
    const { inodesPerGroup } = this.#volume.geometry;
    return {
      group: Math.floor((ino - 1) / inodesPerGroup),
      index: (ino - 1) % inodesPerGroup,
    };
  }
}

const KINDS: Readonly<Record<BlockRole, InodeOwner["kind"]>> = {
  data: "data",
  indirect: "indirect block",
  attributes: "extended attributes",
};
const KINDS_OF_DIRECTORY = { ...KINDS, data: "directory" } as const;

/** The path that was taken to a place; null for none. */
function pathOf(place: Place | null): Uint8Array | null {
  if (place === null) return null;
  const names: Uint8Array[] = [];
  for (let at = place; at.parent !== null; at = at.parent) {
    names.unshift(at.name);
  }
  if (names.length === 0) return Uint8Array.of(0x2f);
  const length = names.reduce((sum, name) => sum + 1 + name.length, 0);
  const path = new Uint8Array(length);
  let end = 0;
  for (const name of names) {
    path[end] = 0x2f;
    path.set(name, end + 1);
    end += 1 + name.length;
  }
  return path;
}
