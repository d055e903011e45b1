/**
 * Calls by users on files with owners, permissions and access control lists,
 * all at random: made through the engine here, and by `permissions.py` through
 * the kernel on the same volume.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { ACL_NO_ID, ACL_TAG, type AclEntry, encodeAcl } from "../../fs/acl.ts";
import {
  type Credentials,
  type Filesystem,
  FsError,
  GuardedFilesystem,
  type OpenWants,
  Paths,
  ROOT_INODE,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFMT,
} from "../../fs/mod.ts";
import type { Random } from "./random.ts";

/** A user's call on the files of one directory. */
export interface PermissionCase {
  /** The directory; no other case uses it. */
  readonly path: string;
  /** Who calls. */
  readonly by: Required<Credentials>;
  /** What is called: a key of `CALLS`, here and in Python. */
  readonly call: string;
  /** A name in the directory, then what else the call takes. */
  readonly args: readonly unknown[];
}

/** What came of it. */
export interface PermissionResult {
  /** `"done"`, an errno name, or what the kernel's call returned. */
  readonly outcome: string | readonly number[];
  /** Mode, owner, group and links by path below the directory. */
  readonly state: Readonly<Record<string, readonly number[]>>;
}

const USERS = [1000, 1001, 1002];
const GROUPS = [50, 51, 52];
const MODES_OF_DIRECTORIES = [0o755, 0o777, 0o775, 0o733, 0o711, 0o700, 0o555];
const IMMUTABLE = 0x10;
const APPEND_ONLY = 0x20;

/** A random list; its mask is not empty, see `fs/permissions.ts`. */
export function randomAcl(random: Random): AclEntry[] {
  const bits = (): number => random.below(8);
  const one = (tag: number, permissions: number, id = ACL_NO_ID): AclEntry => {
    return { tag, permissions, id };
  };
  const some = (ids: readonly number[]): number[] =>
    ids.filter(() => random.chance(0.6));
  return [
    one(ACL_TAG.userObject, bits()),
    ...some(USERS).map((id) => one(ACL_TAG.user, bits(), id)),
    one(ACL_TAG.groupObject, bits()),
    ...some(GROUPS).map((id) => one(ACL_TAG.group, bits(), id)),
    one(ACL_TAG.mask, 1 + random.below(7)),
    one(ACL_TAG.other, bits()),
  ];
}

/** A random user; now and then the superuser. */
export function randomUser(random: Random): Required<Credentials> {
  const uid = random.chance(0.1) ? 0 : random.pick(USERS);
  const groups = GROUPS.filter(() => random.chance(0.3));
  return { uid, gid: uid === 0 ? 0 : random.pick(GROUPS), groups };
}

/** Gives `ino` random owners and permissions. */
export function randomize(fs: Filesystem, ino: number, random: Random): void {
  const isDirectory = (fs.getattr(ino).mode & S_IFMT) === S_IFDIR;
  const usual = isDirectory && random.chance(0.7);
  let mode = usual ? random.pick(MODES_OF_DIRECTORIES) : random.below(0o1000);
  if (random.chance(0.3)) mode |= 0o1000;
  if (random.chance(0.3)) mode |= 0o2000;
  if (random.chance(0.2)) mode |= 0o4000;
  const uid = random.pick([0, ...USERS]);
  fs.setattr(ino, { uid, gid: random.pick([0, ...GROUPS]) });
  fs.setattr(ino, { mode });
  if (random.chance(0.3)) {
    const list = encodeAcl(randomAcl(random));
    fs.setxattr(ino, "system.posix_acl_access", list);
  }
}

/** Makes the directory of case `index`, and the case. */
export function randomCase(
  fs: Filesystem,
  index: number,
  random: Random,
): PermissionCase {
  const path = `/case${index}`;
  const top = fs.mkdir(ROOT_INODE, path.slice(1));
  const file = fs.create(top, "file");
  fs.write(file, 0, new Uint8Array(3));
  fs.setxattr(file, "user.known", new Uint8Array(1));
  fs.setxattr(file, "trusted.known", new Uint8Array(1));
  fs.setxattr(file, "security.known", new Uint8Array(1));
  const below = fs.mkdir(top, "below");
  const other = fs.mkdir(top, "other");
  fs.create(below, "file");
  if (random.chance(0.5)) fs.create(other, "file");
  fs.symlink(top, "link", "file");
  const all = [top, file, below, other];
  for (const ino of all) randomize(fs, ino, random);
  // Or else most calls would end at the first directory.
  const open = random.pick([0o777, 0o1777, 0o2777]);
  if (random.chance(0.6)) fs.setattr(top, { mode: open });
  const by = randomUser(random);
  if (random.chance(0.3)) fs.setattr(file, { uid: by.uid });
  const [call, ...args] = randomCall(random);
  // The kernel may ask more for links to what is another's (sysctl
  // fs.protected_hardlinks), which has nothing to do with permissions.
  if (call === "link") fs.setattr(file, { uid: by.uid });
  if (random.chance(0.15)) {
    const flags = random.pick([IMMUTABLE, APPEND_ONLY]);
    fs.setattr(random.pick(all), { flags });
  }
  return { path, by, call: call as string, args };
}

/** A call's name and arguments, the first a name. */
function randomCall(random: Random): unknown[] {
  const mode = random.below(0o10000);
  const any = random.pick(["file", "below", "link", "missing", "below/file"]);
  const made = random.pick(["new", "file", "below/new", "below/file"]);
  const file = random.pick(["file", "link", "below/file"]);
  const to = random.pick(["new", "other/file", "other/new", "below/file"]);
  const from = random.pick(["file", "below", "link", "below/file", "missing"]);
  // That a directory cannot move into itself the kernel says at once.
  const into = from === "below" ? random.pick(["new", "other/new"]) : to;
  const chance = (): boolean => random.chance(0.4);
  const wants = {
    read: chance(),
    write: true,
    append: chance(),
    truncate: chance(),
  };
  const time = (): number | string => random.pick(["now", "omit", 1000]);
  const name = random.pick([
    "user.known",
    "user.unknown",
    "trusted.known",
    "security.known",
    "system.posix_acl_access",
  ]);
  const isList = name.startsWith("system.");
  const value = isList ? encodeAcl(randomAcl(random)) : new Uint8Array(2);
  return random.pick<unknown[]>([
    ["access", any, random.below(8)],
    ["open", file, random.chance(0.5) ? wants : READING],
    ["write", file, "x"],
    ["create", made, mode],
    ["mkdir", made, mode & 0o1777],
    ["fifo", made, mode],
    ["device", made, random.below(2)],
    ["symlink", made, "x"],
    ["unlink", from],
    ["rmdir", random.pick(["other", "below", "file", "missing"])],
    ["chmod", random.pick(["file", "below"]), mode],
    ["chown", any, -1, random.pick(GROUPS)],
    ["chown", any, random.pick(USERS), random.pick([-1, ...GROUPS])],
    ["utimens", any, random.chance(0.5) ? [time(), "now"] : [1000, time()]],
    ["truncate", file, 1],
    ["readdir", random.pick(["below", "other", "."])],
    ["getxattr", random.pick(["file", "below"]), name],
    ["setxattr", random.pick(["file", "below"]), name, hex(value)],
    ["removexattr", "file", isList ? "user.known" : name],
    ["rename", from, into],
    ["rename", from, into],
    ["link", "file", to],
  ]);
}

const READING: OpenWants = {
  read: true,
  write: false,
  append: false,
  truncate: false,
};

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The calls, by path; made as a handler of a request would make them. */
type Call = (
  paths: Paths<GuardedFilesystem>,
  path: string,
  // deno-lint-ignore no-explicit-any
  ...args: any[]
) => unknown;

const CALLS: Readonly<Record<string, Call>> = {
  access: (p, path, mask) => p.fs.checkAccess(p.resolve(path), mask),
  open: (p, path, wants) => {
    const file = p.fs.getattr(p.resolve(path));
    p.fs.checkOpen(file, wants);
    if (wants.truncate) p.fs.setattr(file.ino, { size: 0 });
  },
  write: (p, path, data) => {
    const ino = p.resolve(path);
    const wants = { read: false, write: true };
    p.fs.checkOpen(p.fs.getattr(ino), wants);
    p.fs.write(ino, 0, new TextEncoder().encode(data));
  },
  create: (p, path, mode) => {
    const { dir, name } = p.resolveParent(path);
    p.fs.create(dir, name, { mode });
  },
  mkdir: (p, path, mode) => p.mkdir(path, { mode }),
  fifo: (p, path, mode) => {
    const { dir, name } = p.resolveParent(path);
    p.fs.mknod(dir, name, { kind: S_IFIFO, mode });
  },
  device: (p, path, number) => {
    const { dir, name } = p.resolveParent(path);
    const rdev = { major: number, minor: number };
    p.fs.mknod(dir, name, { kind: S_IFCHR, mode: 0o666, rdev });
  },
  symlink: (p, path, target) => p.symlink(target, path),
  unlink: (p, path) => {
    const { dir, name } = p.resolveParent(path);
    p.fs.unlink(dir, name);
  },
  rmdir: (p, path) => {
    const { dir, name } = p.resolveParent(path);
    p.fs.rmdir(dir, name);
  },
  chmod: (p, path, mode) => p.fs.setattr(p.resolve(path), { mode }),
  chown: (p, path, uid, gid) => {
    const id = (value: number): number | undefined =>
      value < 0 ? undefined : value;
    const changes = { uid: id(uid), gid: id(gid) };
    p.fs.setattr(p.resolve(path, { follow: false }), changes);
  },
  utimens: (p, path, [atime, mtime]) => {
    const ino = p.resolve(path);
    if (atime === "omit" && mtime === "omit") return;
    const time = (value: number | "now" | "omit"):
      | { sec: number; nsec: number }
      | "now"
      | undefined => {
      if (value === "omit") return undefined;
      return value === "now" ? value : { sec: value, nsec: 0 };
    };
    p.fs.setattr(ino, { atime: time(atime), mtime: time(mtime) });
  },
  truncate: (p, path, size) => p.truncate(path, size),
  readdir: (p, path) => p.readDir(path),
  getxattr: (p, path, name) => p.fs.getxattr(p.resolve(path), name),
  setxattr: (p, path, name, value) => {
    const bytes = new Uint8Array(Buffer.from(value, "hex"));
    p.fs.setxattr(p.resolve(path), name, bytes);
  },
  removexattr: (p, path, name) => p.fs.removexattr(p.resolve(path), name),
  rename: (p, path, to) => p.rename(path, to),
  link: (p, path, to) => p.link(path, to),
};

/** Makes the call of `one` through the engine. */
export function actThroughEngine(
  fs: Filesystem,
  { path, by, call, args }: PermissionCase,
): PermissionResult {
  const paths = new Paths(new GuardedFilesystem(fs, { credentials: by }));
  const [name, ...others] = args;
  const isTwo = call === "rename" || call === "link";
  const rest = isTwo ? [`${path}/${others[0]}`] : others;
  let outcome = "done";
  try {
    CALLS[call](paths, `${path}/${name}`, ...rest);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    outcome = error.code;
  }
  return { outcome, state: stateOf(fs, path) };
}

function stateOf(fs: Filesystem, top: string): Record<string, number[]> {
  const paths = new Paths(fs);
  const state: Record<string, number[]> = {};
  const visit = (below: string): void => {
    const { mode, uid, gid, nlink } = paths.lstat(top + below);
    state[below] = [mode, uid, gid, nlink];
    if ((mode & S_IFMT) !== S_IFDIR) return;
    for (const { name } of paths.readDir(top + below)) {
      visit(`${below}/${new TextDecoder().decode(name)}`);
    }
  };
  visit("");
  return state;
}
