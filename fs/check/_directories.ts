/**
 * The directories: every block a whole chain of entries, every entry a name
 * of something.
 *
 * @module
 */

import { INDEX_FL, INODE } from "../inode.ts";
import type { Check } from "./_check.ts";
import {
  addBlock,
  clearBlock,
  directoryBlocks,
  mappedBlock,
} from "./_directory_blocks.ts";
import { BlockCheck } from "./_directory_block.ts";
import { NameCollector } from "./_directory_names.ts";
import { hashTreeProblem } from "./_hash_tree.ts";
import type { PathFinder } from "./_paths.ts";

/**
 * Checks all directories, in steps of a block. It ends early where inode
 * tables must be read that were skipped.
 */
export function* checkDirectories(
  check: Check,
  paths: PathFinder,
): Generator<void> {
  for (let i = 0; i < check.directories.count; i++) {
    yield* checkDirectory(check, check.directories.inode(i), paths);
  }
}

function* checkDirectory(
  check: Check,
  ino: number,
  paths: PathFinder,
): Generator<void> {
  const names = new NameCollector(check, ino);
  const blocks = directoryBlocks(check, ino);
  let isRebuilt = false;
  for (let index = 0; index < blocks; index++) {
    if (check.isDoubtful) return;
    const { block, isNew } = usableBlock(check, ino, index);
    if (block === 0) continue;
    const visit = new BlockCheck(check, { ino, index, block, isNew });
    visit.run(names, paths);
    isRebuilt ||= isNew || visit.isRebuilt;
    yield;
  }
  if (names.hasDuplicates()) {
    for (let index = 0; index < blocks; index++) {
      const block = mappedBlock(check, ino, index);
      if (block !== 0) names.resolve(block);
      yield;
    }
    isRebuilt ||= names.hasRenamed;
  }
  checkHashTree(check, ino, isRebuilt);
}

/** The block that holds block `index` of a directory, new if need be. */
function usableBlock(
  check: Check,
  ino: number,
  index: number,
): { block: number; isNew: boolean } {
  const { store, findings } = check;
  const block = mappedBlock(check, ino, index);
  if (block === 0) {
    findings.add("directory.hole", { inode: ino }, { index });
    return { block: addBlock(check, ino, index), isNew: true };
  }
  if (store.tryView(block) !== null) return { block, isNew: false };
  findings.add("directory.unreadable", { inode: ino, block }, { index });
  clearBlock(check, block);
  return { block, isNew: true };
}

/** Checks the hash tree; what was repaired has none any more. */
function checkHashTree(check: Check, ino: number, isRebuilt: boolean): void {
  const flags = check.inode(ino, INODE.i_flags);
  if ((flags & INDEX_FL) === 0) return;
  if (!isRebuilt) {
    const reason = hashTreeProblem(check, ino);
    if (reason === null) return;
    check.findings.add("directory.hash_tree", { inode: ino }, { reason });
  }
  check.setInode(ino, INODE.i_flags, (flags & ~INDEX_FL) >>> 0);
}
