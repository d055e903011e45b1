/**
 * From a tar stream into a volume.
 *
 * Names in an archive are not believed: a leading slash is dropped, as tar
 * does, a name with `..` is refused, and no symbolic link of the archive is
 * followed on the way to a name.
 *
 * @module
 */

import {
  type Filesystem,
  FsError,
  ROOT_INODE,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  type Timestamp,
} from "../fs/mod.ts";
import { PathError } from "./errors.ts";
import { orFull } from "./full_error.ts";
import type { FillOptions } from "./fill_from_tree.ts";
import type { SizeEstimate } from "./image_size.ts";
import { type FileMeta, Populator } from "./populate.ts";
import { TarError } from "./tar_header.ts";
import type { TarMember, TarReader } from "./tar.ts";

/** Adds all members to `estimate`. Returns the bytes of their data. */
export function measureTar(reader: TarReader, estimate: SizeEstimate): number {
  let bytes = 0;
  const seen = new Set<string>();
  for (let member = reader.next(); member; member = reader.next()) {
    const names = components(member.path);
    measureNames(names, seen, estimate);
    let stored = 0;
    for (const { length } of member.extents) stored += length;
    bytes += stored;
    if (member.kind === S_IFREG) {
      estimate.addFile(member.size, stored, member.extents.length);
    } else if (member.kind === S_IFLNK) estimate.addSymlink(member.link.length);
    else if (member.kind !== 0) estimate.addInode();
    if (member.xattrs.size > 0) estimate.addXattrs();
  }
  return bytes;
}

/** Counts the names, and the directories that no member announces. */
function measureNames(
  names: Uint8Array[],
  seen: Set<string>,
  estimate: SizeEstimate,
): void {
  let path = "";
  for (const name of names) {
    const child = `${path}/${name.join()}`;
    if (!seen.has(child)) {
      seen.add(child);
      estimate.addName(path, name.length);
      // Too much by one for a member that is no directory: slack.
      estimate.addInode();
    }
    path = child;
  }
}

/** Puts all members into the volume. */
export async function fillFromTar(
  volume: Filesystem,
  reader: TarReader,
  options: FillOptions & { now: Timestamp },
): Promise<void> {
  const filler = new TarFiller(volume, reader, options);
  for (let member = reader.next(); member; member = reader.next()) {
    try {
      await filler.put(member);
    } catch (error) {
      const known = orFull(error, member.path, volume);
      throw known instanceof FsError
        ? new PathError(member.path, known)
        : known;
    }
  }
  await filler.finish();
}

class TarFiller {
  readonly #volume: Filesystem;
  readonly #reader: TarReader;
  readonly #populator: Populator;
  readonly #now: Timestamp;

  constructor(
    volume: Filesystem,
    reader: TarReader,
    options: FillOptions & { now: Timestamp },
  ) {
    this.#volume = volume;
    this.#reader = reader;
    this.#populator = new Populator(volume, options.progress);
    this.#now = options.now;
  }

  async put(member: TarMember): Promise<void> {
    await this.#populator.breathe();
    const meta = this.#meta(member);
    const names = components(member.path);
    const name = names.pop();
    if (name === undefined) {
      if (member.kind === S_IFDIR) this.#populator.adopt(ROOT_INODE, meta);
      return;
    }
    const dir = this.#descend(names, { make: true });
    if (member.kind === S_IFDIR) {
      this.#populator.directory(dir, name, meta);
      return;
    }
    const linked = member.kind === 0 ? this.#find(member) : 0;
    const existing = this.#lookup(dir, name);
    if (linked !== 0 && existing === linked) return;
    // A later member of the same name takes the place of an earlier one.
    if (existing !== 0) this.#volume.unlink(dir, name);
    if (linked !== 0) this.#volume.link(linked, dir, name);
    else await this.#create(member, dir, { name, meta });
  }

  async finish(): Promise<void> {
    await this.#populator.finish();
  }

  async #create(
    member: TarMember,
    dir: number,
    { name, meta }: { name: Uint8Array; meta: FileMeta },
  ): Promise<void> {
    if (member.kind === S_IFREG) {
      const { size, extents } = member;
      const read = (into: Uint8Array): number => this.#reader.read(into);
      const contents = { size, extents, read };
      await this.#populator.file(dir, name, { contents, meta });
    } else if (member.kind === S_IFLNK) {
      this.#populator.symlink(dir, name, { target: member.link, meta });
    } else {
      this.#populator.node(dir, name, { rdev: member.rdev, meta });
    }
  }

  /** The directory at `names`. Missing ones are made, or `ENOENT`. */
  #descend(names: Uint8Array[], { make }: { make: boolean }): number {
    let dir = ROOT_INODE;
    for (const name of names) {
      let next = this.#lookup(dir, name);
      if (next === 0) {
        if (!make) throw new FsError("ENOENT");
        next = this.#populator.directory(dir, name, {
          mode: S_IFDIR | 0o755,
          uid: 0,
          gid: 0,
          atime: this.#now,
          mtime: this.#now,
        });
      }
      dir = next;
    }
    return dir;
  }

  /** The file that a hard link means: an earlier member. */
  #find(member: TarMember): number {
    const names = components(member.link);
    const name = names.pop();
    const dir = this.#descend(names, { make: false });
    const ino = name ? this.#lookup(dir, name) : 0;
    if (ino === 0) {
      throw new TarError("a hard link names a file that is not there yet");
    }
    return ino;
  }

  #lookup(dir: number, name: Uint8Array): number {
    try {
      return this.#volume.lookup(dir, name);
    } catch (error) {
      if (error instanceof FsError && error.code === "ENOENT") return 0;
      throw error;
    }
  }

  #meta(member: TarMember): FileMeta {
    const { uid, gid, mtime, xattrs } = member;
    const mode = member.kind | member.mode;
    return { mode, uid, gid, atime: member.atime ?? mtime, mtime, xattrs };
  }
}

/**
 * The components of a member's name. Throws {@link TarError} for `..`, which
 * has no place in an archive, and for a NUL.
 */
export function components(path: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let start = 0; start < path.length;) {
    let end = path.indexOf(0x2f, start);
    if (end < 0) end = path.length;
    const name = path.subarray(start, end);
    start = end + 1;
    if (name.length === 0 || name.length === 1 && name[0] === 0x2e) continue;
    if (name.length === 2 && name[0] === 0x2e && name[1] === 0x2e) {
      throw new TarError("a member's name contains '..'");
    }
    if (name.includes(0)) throw new TarError("a member's name contains NUL");
    names.push(name);
  }
  return names;
}
