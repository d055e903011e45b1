/**
 * PAX extended headers: records `LENGTH KEY=VALUE\n` that override the fields
 * of the header behind them.
 *
 * Sources: POSIX.1-2017, pax, "pax Extended Header"; the GNU tar manual,
 * "Storing Sparse Files"; `SCHILY.xattr.` is star's, and what GNU tar,
 * libarchive and BuildKit write for extended attributes.
 *
 * @module
 */

import type { Timestamp } from "../fs/attributes.ts";
import { type Extent, TarError } from "./tar_header.ts";

/** Most extents of one sparse file. */
export const MAX_EXTENTS = 1 << 20;

/** What PAX records say; what they do not say is absent. */
export interface PaxFields {
  /** Name of the file. */
  path?: Uint8Array;
  /** Target of a link. */
  linkpath?: Uint8Array;
  /** Bytes of data that follow the header. */
  size?: number;
  /** Owner. */
  uid?: number;
  /** Group. */
  gid?: number;
  /** Last change of the contents. */
  mtime?: Timestamp;
  /** Last read. */
  atime?: Timestamp;
  /** Extended attributes by their full names. */
  xattrs?: Map<string, Uint8Array>;
  /** GNU's sparse formats 0.0, 0.1 and 1.0. */
  sparse?: {
    /** True for 1.0: the map comes first in the data. */
    mapInData: boolean;
    /** Size of the file, holes included. */
    realSize: number;
    /** The map of formats 0.0 and 0.1. */
    extents: Extent[];
  };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const XATTR = "SCHILY.xattr.";

/**
 * Parses the records in `data` on top of `defaults` (those of a global
 * header). Throws {@link TarError} if they are malformed.
 */
export function parsePax(
  data: Uint8Array,
  defaults: PaxFields = {},
): PaxFields {
  const fields: PaxFields = { ...defaults };
  const sparse: SparseRecords = { numbers: new Map(), map: [] };
  for (const [key, value] of records(data)) {
    if (key.startsWith(XATTR)) {
      fields.xattrs = new Map(fields.xattrs);
      fields.xattrs.set(key.slice(XATTR.length), value.slice());
    } else if (key.startsWith("GNU.sparse.")) {
      sparseRecord(sparse, key.slice("GNU.sparse.".length), value, fields);
    } else {
      plainRecord(fields, key, value);
    }
  }
  const described = describeSparse(sparse);
  if (described) fields.sparse = described;
  return fields;
}

/** Splits the records; each holds its own length, in decimal. */
function* records(data: Uint8Array): Generator<[string, Uint8Array]> {
  for (let at = 0; at < data.length;) {
    // Some writers pad the last record with NULs.
    if (data[at] === 0) return;
    const space = data.indexOf(0x20, at);
    const length = space < 0 ? NaN : decimal(data.subarray(at, space));
    const end = at + length;
    const equals = data.indexOf(0x3d, space);
    if (
      !(end <= data.length) || data[end - 1] !== 0x0a || equals < 0 ||
      equals >= end
    ) throw new TarError("a PAX record is malformed");
    yield [
      textOf(data.subarray(space + 1, equals)),
      data.subarray(equals + 1, end - 1),
    ];
    at = end;
  }
}

/** POSIX: a value of no bytes takes back what an earlier record said. */
function plainRecord(fields: PaxFields, key: string, value: Uint8Array): void {
  if (value.length === 0) {
    if (isPlain(key)) delete fields[key];
    return;
  }
  switch (key) {
    case "path":
    case "linkpath":
      fields[key] = value.slice();
      break;
    case "size":
    case "uid":
    case "gid":
      fields[key] = decimal(value);
      break;
    case "mtime":
    case "atime":
      fields[key] = time(value);
      break;
  }
}

const PLAIN = [
  "path",
  "linkpath",
  "size",
  "uid",
  "gid",
  "mtime",
  "atime",
] as const;

function isPlain(key: string): key is typeof PLAIN[number] {
  return (PLAIN as readonly string[]).includes(key);
}

interface SparseRecords {
  numbers: Map<string, number>;
  map: Extent[];
}

function sparseRecord(
  sparse: SparseRecords,
  key: string,
  value: Uint8Array,
  fields: PaxFields,
): void {
  switch (key) {
    case "name":
      fields.path = value.slice();
      break;
    case "offset":
      sparse.map.push({ offset: decimal(value), length: 0 });
      break;
    case "numbytes":
      if (sparse.map.length === 0) throw badMap();
      sparse.map[sparse.map.length - 1].length = decimal(value);
      break;
    case "map":
      sparse.map = parseMap(textOf(value));
      break;
    default:
      sparse.numbers.set(key, decimal(value));
  }
  if (sparse.map.length > MAX_EXTENTS) throw badMap();
}

function parseMap(text: string): Extent[] {
  const numbers = text === "" ? [] : text.split(",", 2 * MAX_EXTENTS + 2);
  if (numbers.length % 2 !== 0) throw badMap();
  const extents: Extent[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    extents.push({
      offset: decimalText(numbers[i]),
      length: decimalText(numbers[i + 1]),
    });
  }
  return extents;
}

function describeSparse(sparse: SparseRecords): PaxFields["sparse"] {
  const { numbers, map } = sparse;
  const major = numbers.get("major") ?? 0;
  const realSize = numbers.get("realsize") ?? numbers.get("size");
  if (realSize === undefined) return undefined;
  if (major > 1 || (major === 1 && numbers.get("minor") !== 0)) {
    throw new TarError("a sparse file has a format newer than 1.0");
  }
  return { mapInData: major === 1, realSize, extents: map };
}

/** Error for a map of extents that makes no sense. */
export function badMap(): TarError {
  return new TarError("the map of a sparse file is malformed");
}

/** Seconds with a fraction of any length; may be negative. */
function time(value: Uint8Array): Timestamp {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(textOf(value));
  if (!match) throw new TarError("a time in a PAX record is malformed");
  const sec = Number(match[2]);
  const nsec = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] === "") return { sec, nsec };
  return nsec === 0
    ? { sec: -sec || 0, nsec }
    : { sec: -sec - 1, nsec: 1e9 - nsec };
}

function decimal(value: Uint8Array): number {
  return decimalText(textOf(value));
}

/** Reads a decimal number of a record or a map. */
export function decimalText(text: string): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(number)) {
    throw new TarError("a number in a PAX record is malformed");
  }
  return number;
}

function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new TarError("a PAX record is not UTF-8");
  }
}
