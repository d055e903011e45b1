/**
 * Attributes of files of the host, to the nanosecond.
 *
 * Deno's own calls cut times to milliseconds, both ways. Where the program
 * may call the C library (`--allow-ffi`, Linux), times are exact and nodes can
 * be made; elsewhere they are good to the millisecond.
 *
 * @module
 */

import fs from "node:fs";
import type { DeviceNumber, Timestamp } from "../fs/attributes.ts";

/** Attributes of a file of the host. */
export interface HostStat {
  /** Kind (`S_IF…`) and permissions. */
  mode: number;
  /** Number of names. */
  nlink: number;
  /** Owner. */
  uid: number;
  /** Group. */
  gid: number;
  /** Number of a device node. */
  rdev: DeviceNumber;
  /** Size, in bytes. */
  size: number;
  /** Space taken, in units of 512 bytes. */
  blocks: number;
  /** Number of the filesystem. */
  dev: number;
  /** Inode number. */
  ino: number;
  /** Last read. */
  atime: Timestamp;
  /** Last change of the contents. */
  mtime: Timestamp;
}

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
/**
 * Where distributions keep the GNU C library; the permission sets of deno.json
 * name the same files. Its statx() is laid out alike on every processor.
 */
const LIBC_PATHS = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
];

const SYMBOLS = {
  statx: {
    parameters: ["i32", "buffer", "i32", "u32", "buffer"],
    result: "i32",
  },
  utimensat: {
    parameters: ["i32", "buffer", "buffer", "i32"],
    result: "i32",
  },
  mknod: { parameters: ["buffer", "u32", "u64"], result: "i32" },
} as const;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

/** `undefined`: not looked for yet; null: not to be had. */
let loaded: Libc | null | undefined;

function libc(): Libc | null {
  if (loaded === undefined) loaded = loadLibc();
  return loaded;
}

function loadLibc(): Libc | null {
  if (Deno.build.os !== "linux") return null;
  for (const path of LIBC_PATHS) {
    const { state } = Deno.permissions.querySync({ name: "ffi", path });
    if (state !== "granted") continue;
    try {
      return Deno.dlopen(path, SYMBOLS).symbols;
    } catch {
      // Not there, or of another processor: the next may be.
    }
  }
  return null;
}

const encoder = new TextEncoder();
const record = new Uint8Array(256);
const view = new DataView(record.buffer);
let pathBuffer = new Uint8Array(8192);

/** A path as C wants it, in a buffer that the next call reuses. */
function cPath(path: string): Uint8Array<ArrayBuffer> {
  if (pathBuffer.length < path.length * 3 + 1) {
    pathBuffer = new Uint8Array(path.length * 3 + 1);
  }
  const { written } = encoder.encodeInto(path, pathBuffer);
  pathBuffer[written] = 0;
  return pathBuffer;
}

/** Attributes of what `path` names; a symbolic link stands for itself. */
export function lstat(path: string): HostStat {
  const c = libc();
  if (!c) return coarseStat(path);
  const result = c.statx(
    AT_FDCWD,
    cPath(path),
    AT_SYMLINK_NOFOLLOW,
    STATX_BASIC_STATS,
    record,
  );
  // The runtime's own call says why it failed.
  return result === 0 ? decodeStatx() : coarseStat(path);
}

/** Decodes `struct statx` of Linux (include/uapi/linux/stat.h). */
function decodeStatx(): HostStat {
  return {
    mode: view.getUint16(28, true),
    nlink: view.getUint32(16, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    rdev: {
      major: view.getUint32(128, true),
      minor: view.getUint32(132, true),
    },
    size: getInt64(40),
    blocks: getInt64(48),
    dev: view.getUint32(136, true) * 2 ** 20 + view.getUint32(140, true),
    ino: getInt64(32),
    atime: { sec: getInt64(64), nsec: view.getUint32(72, true) },
    mtime: { sec: getInt64(112), nsec: view.getUint32(120, true) },
  };
}

function getInt64(at: number): number {
  return view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

function coarseStat(path: string): HostStat {
  const stat = fs.lstatSync(path);
  return {
    mode: stat.mode,
    nlink: stat.nlink,
    uid: stat.uid,
    gid: stat.gid,
    rdev: {
      major: (stat.rdev >>> 8) & 0xfff,
      minor: (stat.rdev & 0xff) | ((stat.rdev >>> 12) & 0xfff00),
    },
    size: stat.size,
    blocks: stat.blocks,
    dev: stat.dev,
    ino: stat.ino,
    atime: fromMilliseconds(stat.atimeMs),
    mtime: fromMilliseconds(stat.mtimeMs),
  };
}

function fromMilliseconds(time: number): Timestamp {
  const sec = Math.floor(time / 1000);
  return { sec, nsec: (time - sec * 1000) * 1_000_000 };
}

/** Sets the times of what `path` names; a symbolic link stands for itself. */
export function setTimes(
  path: string,
  atime: Timestamp,
  mtime: Timestamp,
): void {
  const c = libc();
  if (c) {
    [atime, mtime].forEach(({ sec, nsec }, i) => {
      view.setBigInt64(16 * i, BigInt(sec), true);
      view.setBigInt64(16 * i + 8, BigInt(nsec), true);
    });
    const path0 = cPath(path);
    if (c.utimensat(AT_FDCWD, path0, record, AT_SYMLINK_NOFOLLOW) === 0) return;
  }
  fs.lutimesSync(path, seconds(atime), seconds(mtime));
}

function seconds({ sec, nsec }: Timestamp): number {
  // Half a microsecond up, so that the millisecond survives the rounding.
  return sec + Math.floor(nsec / 1e6) / 1e3 + 5e-7;
}

/**
 * Makes a device node, pipe or socket. Throws an `Error` with the reason where
 * that is not possible.
 */
export function makeNode(path: string, mode: number, rdev: DeviceNumber): void {
  const { major, minor } = rdev;
  // The kernel's huge encoding of device numbers (gnu_dev_makedev).
  const dev = BigInt(minor & 0xff) | BigInt(major & 0xfff) << 8n |
    BigInt(minor & ~0xff) << 12n;
  if (libc()?.mknod(cPath(path), mode, dev) !== 0) {
    throw new Error("Cannot make a device node or pipe here: not permitted");
  }
}
