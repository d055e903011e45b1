/**
 * Where one connection sees the volume in its paths.
 *
 * The original keeps several devices under names, and mounts them at paths.
 * Here there is one volume; it has one name at first, and is mounted at `/`.
 * Mounts are found at the beginning of a path as it is written: what symbolic
 * links hold, and what `..` leads to, is within the volume.
 *
 * Invariant: the key of a mount is its path without needless slashes: empty
 * for `/`, else `/a/b`, one character for each byte.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";

/** Most mounts of a connection, and most names of the volume. */
const MOUNTS_MAX = 16;
/** Most names in the path of a mount. */
const DEPTH_MAX = 16;
/** What the volume is called at first. */
export const FIRST_DEVICE = "nextfs";

const SLASH = 0x2f;
const ROOT: Uint8Array = Uint8Array.of(SLASH);

/** Where a path leads. */
export interface Located {
  /** The key of the mount. */
  readonly mount: string;
  /** The path within the volume. */
  readonly path: Uint8Array;
}

/** See the module. */
export class Mounts {
  readonly #devices = new Set([FIRST_DEVICE]);
  /** Whether changes may wait to be stored, by key. */
  readonly #writeBack = new Map([["", true]]);

  /** Gives the volume one more name. `EEXIST`, `ENFILE`. */
  register(device: string): void {
    if (device === "") throw new FsError("EINVAL", "an empty name");
    if (this.#devices.has(device)) throw new FsError("EEXIST");
    if (this.#devices.size >= MOUNTS_MAX) {
      throw new FsError("ENFILE", `at most ${MOUNTS_MAX} devices`);
    }
    this.#devices.add(device);
  }

  /** Mounts the volume. `ENXIO` for no name of it, `EBUSY`, `ENFILE`. */
  mount(device: string, mountPoint: Uint8Array): void {
    const key = keyOf(mountPoint);
    if (!this.#devices.has(device)) throw new FsError("ENXIO");
    if (this.#writeBack.has(key)) {
      throw new FsError("EBUSY", "something is mounted there");
    }
    if (this.#writeBack.size >= MOUNTS_MAX) {
      throw new FsError("ENFILE", `at most ${MOUNTS_MAX} mounts`);
    }
    this.#writeBack.set(key, true);
  }

  /** Takes a mount away. */
  umount(key: string): void {
    this.#writeBack.delete(key);
  }

  /** The key of the mount at `mountPoint`. `EINVAL` if there is none. */
  at(mountPoint: Uint8Array): string {
    const key = keyOf(mountPoint);
    if (this.#writeBack.has(key)) return key;
    throw new FsError("EINVAL", "nothing is mounted there");
  }

  /** Says whether changes by way of a mount may wait to be stored. */
  setWriteBack(key: string, on: boolean): void {
    this.#writeBack.set(key, on);
  }

  /** False if changes by way of this mount are to be stored at once. */
  isWriteBack(key: string): boolean {
    return this.#writeBack.get(key) ?? true;
  }

  /** Where `path` leads. `ENOENT` if it is empty, or nothing is mounted. */
  locate(path: Uint8Array): Located {
    if (path.length === 0) throw new FsError("ENOENT", "an empty path");
    let mount = this.#writeBack.has("") ? "" : null;
    let below = path;
    if (this.#writeBack.size > 1 || mount === null) {
      for (const [key, rest] of prefixes(path)) {
        if (!this.#writeBack.has(key)) continue;
        mount = key;
        below = rest;
      }
    }
    if (mount === null) throw new FsError("ENOENT", "nothing is mounted there");
    return { mount, path: below.length === 0 ? ROOT : below };
  }
}

/** The key of a mount at `path`. */
function keyOf(path: Uint8Array): string {
  if (path.length === 0) throw new FsError("EINVAL", "an empty mount point");
  let key = "";
  for (const [longer, below] of prefixes(path)) {
    if (/\/\.\.?$/.test(longer)) {
      throw new FsError("EINVAL", "a mount point holds neither '.' nor '..'");
    }
    key = longer;
    path = below;
  }
  if (path.every((byte) => byte === SLASH)) return key;
  throw new FsError("EINVAL", `a mount point has at most ${DEPTH_MAX} names`);
}

/**
 * The beginnings of a path that could be mount points, as keys, each with what
 * is behind it.
 */
function* prefixes(path: Uint8Array): Generator<[string, Uint8Array]> {
  let key = "";
  let at = 0;
  for (let i = 0; i < DEPTH_MAX; i++) {
    while (path[at] === SLASH) at++;
    if (at >= path.length) return;
    const end = path.indexOf(SLASH, at);
    const stop = end < 0 ? path.length : end;
    key += `/${String.fromCharCode(...path.subarray(at, stop))}`;
    at = stop;
    yield [key, path.subarray(at)];
  }
}
