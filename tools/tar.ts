/**
 * A reader of tar streams: Version 7, ustar, PAX and GNU archives, with long
 * names, large numbers, extended attributes and sparse files.
 *
 * It is written here because what it is for, extended attributes and sparse
 * files, is what the small tar libraries leave out. It pulls from a
 * synchronous source and holds one header and one buffer; everything in the
 * archive is taken as hostile: sums are checked, sizes and counts bounded,
 * and an archive that ends early is an error.
 *
 * @module
 */

import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  type Timestamp,
} from "../fs/attributes.ts";
import type { DeviceNumber } from "../fs/attributes.ts";
import {
  decodeHeader,
  decodeSparseBlock,
  type Extent,
  isZeroBlock,
  TAR_BLOCK,
  TarError,
  type TarHeader,
} from "./tar_header.ts";
import { compressorOf } from "./compressed.ts";
import { printable } from "./names.ts";
import {
  badMap,
  decimalText,
  MAX_EXTENTS,
  parsePax,
  type PaxFields,
} from "./tar_pax.ts";

/** Longest PAX header: room for extended attributes of 64 KiB each. */
const MAX_PAX_BYTES = 8 << 20;
/** Longest name that a GNU long-name member may hold: PATH_MAX and a half. */
const MAX_NAME_BYTES = 64 << 10;
const BUFFER_BYTES = 64 << 10;
/** More than any file of ext2: with blocks of 4 KiB, its maps end at 4 TiB. */
const MAX_MEMBER_BYTES = 2 ** 43;
/** Where the bytes of an archive come from. */
export interface ByteSource {
  /** Reads some bytes; 0 at the end. */
  read(into: Uint8Array): number;
  /** Passes over `bytes`, if that is cheaper than reading them. */
  skip?(bytes: number): void;
}

/** One member of an archive. */
export interface TarMember {
  /** Its name as the archive has it: nothing is known of it yet. */
  path: Uint8Array;
  /** Kind (`S_IF…`), or 0 for a hard link. */
  kind: number;
  /** Permission and set-id bits. */
  mode: number;
  /** Owner. */
  uid: number;
  /** Group. */
  gid: number;
  /** Last change of the contents. */
  mtime: Timestamp;
  /** Last read, where the archive says it. */
  atime?: Timestamp;
  /** Target of a symbolic link; name of the other member of a hard link. */
  link: Uint8Array;
  /** Number of a device node. */
  rdev: DeviceNumber;
  /** Size of a regular file, holes included, in bytes. */
  size: number;
  /** Where the data goes; `read()` hands it out in this order. */
  extents: Extent[];
  /** Extended attributes by their full names. */
  xattrs: Map<string, Uint8Array>;
}

const KINDS: Record<string, number> = {
  "0": S_IFREG,
  "1": 0,
  "2": S_IFLNK,
  "3": S_IFCHR,
  "4": S_IFBLK,
  "5": S_IFDIR,
  "6": S_IFIFO,
  // Contiguous file, and GNU's sparse file.
  "7": S_IFREG,
  S: S_IFREG,
  // GNU's directory of an incremental archive; its data is a list of names.
  D: S_IFDIR,
};

/** Reads the members of an archive one after the other. */
export class TarReader {
  readonly #source: ByteSource;
  readonly #buffer = new Uint8Array(BUFFER_BYTES);
  #start = 0;
  #end = 0;
  /** Data bytes of the current member that are still to come. */
  #remaining = 0;
  #padding = 0;
  #global: PaxFields = {};
  #ended = false;
  #first = true;

  /** Reads from `source`, from its current position. */
  constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * The next member, or null behind the last. What is left of the current
   * member's data is passed over. Throws {@link TarError}.
   */
  next(): TarMember | null {
    let pax: PaxFields | null = null;
    let longName: Uint8Array | null = null;
    let longLink: Uint8Array | null = null;
    for (;;) {
      const header = this.#nextHeader();
      if (!header) {
        if (pax || longName || longLink) throw truncated();
        return null;
      }
      switch (header.type) {
        case "x":
        case "X":
          pax = parsePax(this.#all(MAX_PAX_BYTES), this.#global);
          break;
        case "g":
          this.#global = parsePax(this.#all(MAX_PAX_BYTES), this.#global);
          break;
        case "L":
          longName = untilNul(this.#all(MAX_NAME_BYTES));
          break;
        case "K":
          longLink = untilNul(this.#all(MAX_NAME_BYTES));
          break;
        case "V":
          // The label of the archive as a whole.
          break;
        default:
          if (longName) header.path = longName;
          if (longLink) header.link = longLink;
          return this.#member(header, pax ?? this.#global);
      }
    }
  }

  /** Reads data of the current member; 0 at its end. */
  read(into: Uint8Array): number {
    const wanted = Math.min(into.length, this.#remaining);
    if (wanted === 0) return 0;
    const count = this.#some(into.subarray(0, wanted));
    this.#remaining -= count;
    return count;
  }

  #nextHeader(): TarHeader | null {
    if (this.#ended) return null;
    this.#skip(this.#remaining + this.#padding);
    this.#remaining = this.#padding = 0;
    const block = this.#headerBlock();
    if (isZeroBlock(block)) {
      this.#ended = true;
      return null;
    }
    const header = decodeHeader(block);
    this.#expect(header.size, header.path);
    return header;
  }

  /** The next block, or why there is none: the first tells a compressor. */
  #headerBlock(): Uint8Array {
    if (!this.#first) return this.#take(TAR_BLOCK);
    this.#first = false;
    let block: Uint8Array;
    try {
      block = this.#take(TAR_BLOCK);
    } catch (error) {
      checkCompressed(this.#buffer.subarray(0, this.#end));
      throw error;
    }
    checkCompressed(block);
    return block;
  }

  #expect(bytes: number, path: Uint8Array): void {
    checkSize(bytes, path);
    this.#remaining = bytes;
    this.#padding = -bytes & (TAR_BLOCK - 1);
    // `&` works on 32 bits, which hold the low bits of any size.
  }

  #member(header: TarHeader, pax: PaxFields): TarMember {
    let kind: number | undefined = KINDS[header.type];
    if (kind === undefined) {
      throw new TarError(`a member has the unknown type '${header.type}'`);
    }
    const path = pax.path ?? header.path;
    // Version 7 has no type for directories: a slash ends their names.
    if (header.type === "0" && path.at(-1) === 0x2f) kind = S_IFDIR;
    // Old archivers give a size to links, too, but no data.
    if (kind === 0 && pax.size === undefined) this.#expect(0, path);
    if (pax.size !== undefined) this.#expect(pax.size, path);
    const member: TarMember = {
      path,
      kind,
      mode: header.mode,
      uid: pax.uid ?? header.uid,
      gid: pax.gid ?? header.gid,
      mtime: pax.mtime ?? { sec: header.mtime, nsec: 0 },
      atime: pax.atime,
      link: pax.linkpath ?? header.link,
      rdev: { major: header.major, minor: header.minor },
      size: 0,
      extents: [],
      xattrs: pax.xattrs ?? new Map(),
    };
    if (kind === S_IFREG) this.#layOut(member, header, pax);
    return member;
  }

  /** Finds out where the data of a regular file goes. */
  #layOut(member: TarMember, header: TarHeader, pax: PaxFields): void {
    if (header.sparse) {
      member.size = header.sparse.realSize;
      member.extents = this.#oldSparseMap(header.sparse);
    } else if (pax.sparse) {
      member.size = pax.sparse.realSize;
      member.extents = pax.sparse.mapInData
        ? this.#sparseMapInData()
        : pax.sparse.extents;
    } else {
      member.size = this.#remaining;
      member.extents = [{ offset: 0, length: this.#remaining }];
      return;
    }
    checkSize(member.size, member.path);
    let at = 0;
    let stored = 0;
    for (const { offset, length } of member.extents) {
      if (offset < at || offset + length > member.size) throw badMap();
      at = offset + length;
      stored += length;
    }
    if (stored !== this.#remaining) throw badMap();
  }

  /** GNU's old format: more of the map may follow in blocks of its own. */
  #oldSparseMap(sparse: NonNullable<TarHeader["sparse"]>): Extent[] {
    const extents = sparse.extents;
    for (let more = sparse.extended; more;) {
      const block = decodeSparseBlock(this.#take(TAR_BLOCK));
      extents.push(...block.extents);
      if (extents.length > MAX_EXTENTS) throw badMap();
      more = block.extended;
    }
    return extents;
  }

  /** Format 1.0: decimal lines at the start of the data, padded to a block. */
  #sparseMapInData(): Extent[] {
    let text = "";
    const line = (): number => {
      for (;;) {
        const end = text.indexOf("\n");
        if (end >= 0) {
          const number = decimalText(text.slice(0, end));
          text = text.slice(end + 1);
          return number;
        }
        if (text.length > 20 || this.#remaining < TAR_BLOCK) throw badMap();
        this.#remaining -= TAR_BLOCK;
        text += String.fromCharCode(...this.#take(TAR_BLOCK));
      }
    };
    const count = line();
    if (count > MAX_EXTENTS) throw badMap();
    const extents: Extent[] = [];
    for (let i = 0; i < count; i++) {
      extents.push({ offset: line(), length: line() });
    }
    return extents;
  }

  /** All data of a header that describes another one. */
  #all(most: number): Uint8Array {
    if (this.#remaining > most) {
      throw new TarError(`an extended header is longer than ${most} bytes`);
    }
    const data = new Uint8Array(this.#remaining);
    for (let at = 0; at < data.length;) at += this.read(data.subarray(at));
    return data;
  }

  /** The next `count` bytes as a view that the next call invalidates. */
  #take(count: number): Uint8Array {
    if (this.#end - this.#start < count) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
      while (this.#end < count) {
        const more = this.#source.read(this.#buffer.subarray(this.#end));
        if (more === 0) throw truncated();
        this.#end += more;
      }
    }
    this.#start += count;
    return this.#buffer.subarray(this.#start - count, this.#start);
  }

  /** Reads at least one byte, from the buffer or past it. */
  #some(into: Uint8Array): number {
    const buffered = Math.min(this.#end - this.#start, into.length);
    if (buffered > 0) {
      into.set(this.#buffer.subarray(this.#start, this.#start + buffered));
      this.#start += buffered;
      return buffered;
    }
    if (into.length < TAR_BLOCK) {
      into.set(this.#take(into.length));
      return into.length;
    }
    const count = this.#source.read(into);
    if (count === 0) throw truncated();
    return count;
  }

  #skip(bytes: number): void {
    const buffered = Math.min(this.#end - this.#start, bytes);
    this.#start += buffered;
    let rest = bytes - buffered;
    if (rest > 0 && this.#source.skip) {
      this.#source.skip(rest);
      return;
    }
    while (rest > 0) {
      const step = Math.min(rest, BUFFER_BYTES);
      this.#take(step);
      rest -= step;
    }
  }
}

function checkSize(bytes: number, path: Uint8Array): void {
  if (bytes <= MAX_MEMBER_BYTES) return;
  throw new TarError(
    `${printable(path)}: its size, ${bytes} bytes, is more than ext2 can hold`,
  );
}

/** Throws for the start of a compressed file, with what unpacks it. */
function checkCompressed(start: Uint8Array): void {
  const tool = compressorOf(start);
  if (tool === null) return;
  throw new TarError(`the archive is compressed: unpack it with ${tool} -dc`);
}

function truncated(): TarError {
  return new TarError("the archive ends early");
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
