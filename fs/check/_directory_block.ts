/**
 * One block of a directory.
 *
 * @module
 */

import { S_IFDIR } from "../attributes.ts";
import {
  DIRECTORY_ENTRY,
  ENTRY_HEADER_SIZE,
  entrySize,
  fileTypeOf,
} from "../directory_entry.ts";
import { INCOMPAT } from "../features.ts";
import { ROOT_INODE } from "../geometry.ts";
import type { Check } from "./_check.ts";
import { dotdotOf, removeEntry } from "./_directory_blocks.ts";
import type { NameCollector } from "./_directory_names.ts";
import { isDots, nameAt, showName } from "./_entry_names.ts";
import type { PathFinder } from "./_paths.ts";
import type { ProblemCode, ProblemValues } from "./problems.ts";

const { inode: INO, rec_len, name_len, file_type } = DIRECTORY_ENTRY;

/** The shortest entry: of a name of one byte. */
const ENTRY_SIZE_MIN = entrySize(1);
const SLASH = 0x2f;
const DOT = 0x2e;
/** What stands for a byte that no name can have. */
const REPLACEMENT = 0x5f;

/** Which block it is. */
export interface DirectoryBlock {
  /** Inode of the directory. */
  readonly ino: number;
  /** Place in the directory, in blocks. */
  readonly index: number;
  /** Device block. */
  readonly block: number;
  /** Whether it was made just now: what is missing in it has been said. */
  readonly isNew: boolean;
}

/** An entry that is to be written. */
interface NewEntry {
  readonly ino: number;
  readonly name: Uint8Array;
  readonly type: number;
}

/** See the module. */
export class BlockCheck {
  /** Whether entries were moved, or names changed. */
  isRebuilt = false;
  readonly #check: Check;
  readonly #where: DirectoryBlock;
  #bytes: Uint8Array;

  /** Looks at a block that can be read. */
  constructor(check: Check, where: DirectoryBlock) {
    this.#check = check;
    this.#where = where;
    this.#bytes = check.store.view(where.block);
  }

  /** Checks it. */
  run(names: NameCollector, paths: PathFinder): void {
    this.#checkChain();
    const { index, ino } = this.#where;
    if (index === 0) this.#checkDots();
    const bytes = this.#bytes;
    const first = index === 0 ? this.#behindDots() : 0;
    for (let at = first; at < bytes.length; at += rec_len.get(bytes, at)) {
      if (INO.get(bytes, at) === 0 || !this.#checkEntry(at)) continue;
      const target = INO.get(bytes, at);
      const name = nameAt(bytes, at);
      this.#check.addLinks(target, 1);
      names.add(name);
      paths.note(target, ino, name);
    }
  }

  #found(code: ProblemCode, values: ProblemValues = {}): void {
    const { ino, block } = this.#where;
    this.#check.findings.add(code, { inode: ino, block }, values);
  }

  /** Writable view; the same bytes. */
  #modify(): Uint8Array {
    this.#bytes = this.#check.store.modify(this.#where.block);
    return this.#bytes;
  }

  /** Makes the block a whole chain of entries. */
  #checkChain(): void {
    const end = this.#bytes.length;
    for (let at = 0; at < end;) {
      if (isWhole(this.#bytes, at)) {
        at += rec_len.get(this.#bytes, at);
        continue;
      }
      this.#found("directory.chain", { at: this.#where.index * end + at });
      const bytes = this.#modify();
      this.isRebuilt = true;
      let next = at + ENTRY_SIZE_MIN;
      while (next < end && !isChain(bytes, next)) next += 4;
      if (end - at < ENTRY_SIZE_MIN) {
        // Too little room for an entry of its own: the one before takes it.
        stretchLast(bytes, at);
        return;
      }
      next = Math.min(next, end);
      bytes.fill(0, at, at + ENTRY_HEADER_SIZE);
      rec_len.set(bytes, at, next - at);
      at = next;
    }
  }

  /** Makes the first two entries '.' and '..'. */
  #checkDots(): void {
    const { ino, isNew } = this.#where;
    const { directories } = this.#check;
    const bytes = this.#bytes;
    const second = rec_len.get(bytes, 0);
    const hasDot = INO.get(bytes, 0) !== 0 && isDotName(bytes, 0, 1) &&
      second === ENTRY_SIZE_MIN;
    const hasDotdot = second < bytes.length && INO.get(bytes, second) !== 0 &&
      isDotName(bytes, second, 2);
    if (hasDot && hasDotdot) {
      if (INO.get(bytes, 0) !== ino) {
        this.#found("directory.dot");
        INO.set(this.#modify(), 0, ino);
      }
      directories.setDotdot(ino, INO.get(bytes, second));
    } else {
      if (!isNew && !hasDot) this.#found("directory.dot");
      if (!isNew && hasDot) this.#found("directory.dotdot");
      // The parent comes to light later, and is set then.
      this.#rebuild();
    }
    this.#checkPadding();
    this.#checkType(0, fileTypeOf(S_IFDIR));
    this.#checkType(this.#dotdotAt(), fileTypeOf(S_IFDIR));
    this.#check.addLinks(ino, 1);
  }

  /** Checks that a zero follows the first two names, as e2fsck demands. */
  #checkPadding(): void {
    const second = this.#dotdotAt();
    const dot = ENTRY_HEADER_SIZE + 1;
    const dotdot = second + ENTRY_HEADER_SIZE + 2;
    if (this.#bytes[dot] === 0 && this.#bytes[dotdot] === 0) return;
    this.#found("directory.dot_padding");
    const bytes = this.#modify();
    bytes[dot] = 0;
    bytes[dotdot] = 0;
  }

  #dotdotAt(): number {
    return rec_len.get(this.#bytes, 0);
  }

  #behindDots(): number {
    const second = this.#dotdotAt();
    return second + rec_len.get(this.#bytes, second);
  }

  /** Writes the block anew, with '.' and '..' before all other entries. */
  #rebuild(): void {
    const bytes = this.#modify();
    const entries: NewEntry[] = [];
    for (let at = 0; at < bytes.length; at += rec_len.get(bytes, at)) {
      const name = nameAt(bytes, at).slice();
      if (INO.get(bytes, at) === 0 || isDots(name)) continue;
      const type = file_type.get(bytes, at);
      entries.push({ ino: INO.get(bytes, at), name, type });
    }
    const type = this.#typeByte(fileTypeOf(S_IFDIR));
    const dots = [
      { ino: this.#where.ino, name: Uint8Array.of(DOT), type },
      { ino: ROOT_INODE, name: Uint8Array.of(DOT, DOT), type },
    ];
    writeEntries(bytes, [...dots, ...entries]);
    this.isRebuilt = true;
  }

  /** Checks an entry in use; false if it is not any more. */
  #checkEntry(at: number): boolean {
    if (!this.#checkName(at)) return false;
    const { ino } = this.#where;
    const check = this.#check;
    const target = INO.get(this.#bytes, at);
    const name = showName(nameAt(this.#bytes, at));
    const isFile = check.isInode(target) &&
      target >= check.geometry.firstInode;
    if (!isFile) {
      return this.#drop(at, "directory.inode_range", { name, target });
    }
    const kind = check.kind(target);
    if (kind === 0) {
      if (check.skipped.has(check.geometry.groupOfInode(target))) {
        check.hasMissed = true;
        return false;
      }
      return this.#drop(at, "directory.inode_unused", { name, target });
    }
    if (kind === fileTypeOf(S_IFDIR)) {
      const other = check.directories.parent(target);
      const isSecond = other !== 0 && !this.#displaces(other, target);
      if (target === ino || target === ROOT_INODE || isSecond) {
        return this.#drop(at, "directory.second_parent", { name, target });
      }
      check.directories.setParent(target, ino);
    }
    this.#checkType(at, kind);
    return true;
  }

  /**
   * Whether this directory is the parent that `target` names, and `other`,
   * which has an entry for it, is not; the other one loses its entry then.
   */
  #displaces(other: number, target: number): boolean {
    const { ino } = this.#where;
    const check = this.#check;
    if (other === ino || dotdotOf(check, target) !== ino) return false;
    const removed = removeEntry(check, other, target);
    const name = removed === null ? "" : showName(removed);
    check.findings.add("directory.second_parent", { inode: other }, {
      name,
      target,
    });
    return true;
  }

  #checkName(at: number): boolean {
    const name = nameAt(this.#bytes, at);
    if (name.length > 0 && isDots(name)) {
      return this.#drop(at, "directory.duplicate", { name: showName(name) });
    }
    const isWrong = name.includes(SLASH) || name.includes(0);
    if (name.length > 0 && !isWrong) return true;
    if (name.length === 0) {
      return this.#drop(at, "directory.name", { name: "" });
    }
    this.#found("directory.name", { name: showName(name) });
    const bytes = nameAt(this.#modify(), at);
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] === SLASH || bytes[i] === 0) bytes[i] = REPLACEMENT;
    }
    this.isRebuilt = true;
    return true;
  }

  #checkType(at: number, kind: number): void {
    const found = this.#typeByte(kind);
    const stored = file_type.get(this.#bytes, at);
    if (stored === found) return;
    const name = showName(nameAt(this.#bytes, at));
    this.#found("directory.file_type", { name, stored, found });
    file_type.set(this.#modify(), at, found);
  }

  #typeByte(kind: number): number {
    return this.#check.hasIncompat(INCOMPAT.filetype) ? kind : 0;
  }

  #drop(at: number, code: ProblemCode, values: ProblemValues): false {
    this.#found(code, values);
    INO.set(this.#modify(), at, 0);
    return false;
  }
}

/** Whether there is a whole entry at `at`. */
function isWhole(bytes: Uint8Array, at: number): boolean {
  if (at + ENTRY_SIZE_MIN > bytes.length) return false;
  const length = rec_len.get(bytes, at);
  return length >= ENTRY_SIZE_MIN && length % 4 === 0 &&
    at + length <= bytes.length &&
    ENTRY_HEADER_SIZE + name_len.get(bytes, at) <= length;
}

/** Whether whole entries fill the block from `at` on. */
function isChain(bytes: Uint8Array, at: number): boolean {
  while (at < bytes.length) {
    if (!isWhole(bytes, at)) return false;
    at += rec_len.get(bytes, at);
  }
  return true;
}

/** Stretches the entry that ends at `end` to the end of the block. */
function stretchLast(bytes: Uint8Array, end: number): void {
  let at = 0;
  while (at + rec_len.get(bytes, at) < end) at += rec_len.get(bytes, at);
  rec_len.set(bytes, at, bytes.length - at);
}

/** Writes as many of `entries` as fit; the last one takes what is left. */
function writeEntries(bytes: Uint8Array, entries: NewEntry[]): void {
  bytes.fill(0);
  let last = 0;
  let at = 0;
  for (const { ino, name, type } of entries) {
    const size = entrySize(name.length);
    if (at + size > bytes.length) break;
    INO.set(bytes, at, ino);
    rec_len.set(bytes, at, size);
    name_len.set(bytes, at, name.length);
    file_type.set(bytes, at, type);
    bytes.set(name, at + ENTRY_HEADER_SIZE);
    last = at;
    at += size;
  }
  rec_len.set(bytes, last, bytes.length - last);
}

/** Whether the name at `at` is `length` dots. */
function isDotName(bytes: Uint8Array, at: number, length: number): boolean {
  const name = nameAt(bytes, at);
  return name.length === length && name.every((byte) => byte === DOT);
}
