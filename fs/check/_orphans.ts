/**
 * The orphan list. One that is in order is no damage, but work that a crash
 * has left: it is finished as by the next server, with the engine itself.
 *
 * @module
 */

import { DeviceError } from "../../bd/block_device.ts";
import { S_IFMT, S_IFREG } from "../attributes.ts";
import { testBit } from "../bitmap.ts";
import { fileTypeOf } from "../directory_entry.ts";
import { FsError } from "../errors.ts";
import { INODE, Inode } from "../inode.ts";
import { reclaimStep } from "../reclaim.ts";
import { SUPERBLOCK } from "../superblock.ts";
import { Volume } from "../volume.ts";
import type { Check } from "./_check.ts";

/** Memory for the blocks that the engine works on, in bytes. */
const CACHE_BYTES = 4 << 20;

/** Finishes the list, in steps of the engine; drops it if it is broken. */
export function* settleOrphans(check: Check): Generator<void> {
  const { s_last_orphan } = SUPERBLOCK;
  if (check.superblock(s_last_orphan) === 0) return;
  const reason = yield* finishAll(check);
  if (reason === null) return;
  check.findings.add("orphan.list", {}, { reason });
  check.setSuperblock(s_last_orphan, 0);
}

/** Finishes the list; what is wrong with it if it cannot be. */
function* finishAll(check: Check): Generator<void, string | null> {
  const list: number[] = [];
  const reason = readList(check, list);
  if (reason !== null) return reason;
  for (const ino of list) {
    check.findings.add("orphan.unfinished", { inode: ino });
  }
  try {
    const volume = new Volume(check.store, {
      now: check.now,
      cacheSize: CACHE_BYTES,
    });
    for (const ino of list) {
      const inode = new Inode(volume, ino);
      while (!volume.transact(() => reclaimStep(inode))) {
        volume.cache.writeBack();
        yield;
      }
      volume.cache.writeBack();
      yield;
    }
    return null;
  } catch (error) {
    if (error instanceof FsError || error instanceof DeviceError) {
      return error.message;
    }
    throw error;
  }
}

/** Reads the list into `list`; what is wrong with it, or null. */
function readList(check: Check, list: number[]): string | null {
  const { firstInode } = check.geometry;
  const seen = new Set<number>();
  let ino = check.superblock(SUPERBLOCK.s_last_orphan);
  while (ino !== 0) {
    if (!check.isInode(ino) || ino < firstInode) {
      return `it leads to inode ${ino}, which cannot be a file`;
    }
    if (seen.has(ino)) return `it leads to inode ${ino} twice`;
    const { block } = check.inodePlace(ino);
    if (check.store.tryView(block) === null) {
      return `inode ${ino} cannot be read`;
    }
    if (!isOrphan(check, ino)) return `inode ${ino} is no orphan`;
    seen.add(ino);
    list.push(ino);
    ino = check.inode(ino, INODE.i_dtime);
  }
  return null;
}

/** Whether inode `ino` has work left to do: it was removed, or is to be cut. */
function isOrphan(check: Check, ino: number): boolean {
  const { geometry, store } = check;
  const kind = check.inode(ino, INODE.i_mode) & S_IFMT;
  if (fileTypeOf(kind) === 0) return false;
  const isRemoved = check.inode(ino, INODE.i_links_count) === 0;
  if (!isRemoved && kind !== S_IFREG) return false;
  const bitmap = store.tryView(
    check.inodeBitmaps[geometry.groupOfInode(ino)],
  );
  return bitmap === null ||
    testBit(bitmap, (ino - 1) % geometry.inodesPerGroup);
}
