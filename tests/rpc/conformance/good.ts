/**
 * For each operation a request that succeeds: what refused ones are made of.
 *
 * @module
 */

import { S_IFIFO } from "../../../fs/mod.ts";
import {
  type Arguments,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  type OperationName,
} from "../../../rpc/mod.ts";
import { bytesOf, type Trial } from "./trial.ts";

/** A request that succeeds, in the situation that it makes. */
export type Good<K extends OperationName> = (
  trial: Trial,
) => Arguments<K> | Promise<Arguments<K>>;

/** Operations that are no request like the others. */
export type Special = "hello" | "compound";

const CONTENTS = "contents of a file";
const NEW = bytesOf("new");
const RDEV = { major: 0, minor: 0 };
const TIME = { sec: 1_000_000_000, nsec: 5 };
const USER_NAME = bytesOf("user.name");

const file = (t: Trial): ReturnType<Trial["file"]> =>
  t.file("file", { data: CONTENTS });

const opened = async (t: Trial, flags = O_RDWR): Promise<number> =>
  await t.open(file(t), flags);

/** The same of a file with an attribute. */
function attributed(t: Trial): { node: ReturnType<Trial["node"]> } {
  const node = file(t);
  t.fs.setxattr(node.ino, "user.name", bytesOf("value"));
  return { node };
}

const range = { owner: 1, start: 0, length: 10 };

/** Requests on nodes. */
const NODES = {
  resolve: (t) => {
    file(t);
    return { dir: t.dir, path: bytesOf("./file"), follow: true };
  },
  getattr: (t) => ({ node: file(t) }),
  setattr: (t) => ({ node: file(t), changes: { mode: 0o600 } }),
  lookup: (t) => {
    file(t);
    return { dir: t.dir, name: bytesOf("file") };
  },
  walk: (t) => {
    file(t);
    return { dir: t.dir, names: [bytesOf("file")] };
  },
  access: (t) => ({ node: file(t), mask: 4 }),
  readdir: (t) => {
    file(t);
    return { node: t.dir, cookie: 0, count: 10 };
  },
  mkdir: (t) => ({ dir: t.dir, name: NEW, mode: 0o755 }),
  mknod: (t) => ({
    ...{ dir: t.dir, name: NEW, mode: S_IFIFO | 0o644, rdev: RDEV },
  }),
  symlink: (t) => ({ dir: t.dir, name: NEW, target: bytesOf("target") }),
  link: (t) => ({ node: file(t), dir: t.dir, name: NEW }),
  unlink: (t) => {
    file(t);
    return { dir: t.dir, name: bytesOf("file") };
  },
  rmdir: (t) => {
    t.directory("below");
    return { dir: t.dir, name: bytesOf("below") };
  },
  rename: (t) => {
    file(t);
    const toDir = t.directory("below");
    return {
      ...{ fromDir: t.dir, fromName: bytesOf("file"), toDir, toName: NEW },
      noReplace: false,
    };
  },
  readlink: (t) => ({ node: t.symlink("link", "target") }),
  statfs: () => ({}),
  getxattr: (t) => ({ ...attributed(t), name: USER_NAME }),
  setxattr: (t) => ({
    ...{ node: file(t), name: USER_NAME, value: bytesOf("value") },
    ...{ create: false, replace: false },
  }),
  listxattr: attributed,
  removexattr: (t) => ({ ...attributed(t), name: USER_NAME }),
} satisfies Partial<{ [K in OperationName]: Good<K> }>;

/** Requests on open files. */
const FILES = {
  open: (t) => ({ node: file(t), flags: O_RDONLY }),
  close: async (t) => ({ descriptor: await opened(t) }),
  read: async (t) => ({ descriptor: await opened(t), offset: 2, length: 5 }),
  write: async (t) => ({
    ...{ descriptor: await opened(t), offset: 2, data: bytesOf("data") },
  }),
  create: (t) => ({ dir: t.dir, name: NEW, mode: 0o644, flags: O_EXCL }),
  sync: () => ({}),
  fsync: async (t) => ({ descriptor: await opened(t) }),
  fdatasync: async (t) => ({ descriptor: await opened(t) }),
  allocate: async (t) => ({
    ...{ descriptor: await opened(t), mode: 0, offset: 0, length: 10_000 },
  }),
  seekData: async (t) => ({
    ...{ descriptor: await opened(t), offset: 0, hole: false },
  }),
  copyRange: async (t) => ({
    from: await opened(t, O_RDONLY),
    fromOffset: 0,
    to: await t.open(t.file("to"), O_RDWR),
    toOffset: 0,
    length: 5,
  }),
  getLock: async (t) => ({
    ...{ descriptor: await opened(t), ...range, exclusive: true },
  }),
  setLock: async (t) => ({
    ...{ descriptor: await opened(t), ...range, kind: 1, wait: false },
  }),
} satisfies Partial<{ [K in OperationName]: Good<K> }>;

const path = (t: Trial, name = "file"): Uint8Array =>
  bytesOf(`${t.path}/${name}`);

const filePath = (t: Trial): { path: Uint8Array } => {
  file(t);
  return { path: path(t) };
};

/** Two names of a file, the second of which is free. */
const twoPaths = (t: Trial): { path: Uint8Array; newPath: Uint8Array } => ({
  ...filePath(t),
  newPath: path(t, "new"),
});

const directoryPath = (t: Trial): { path: Uint8Array } => {
  t.directory("below");
  return { path: path(t, "below") };
};

/** A descriptor of the original's kind. */
async function original(t: Trial): Promise<{ descriptor: number }> {
  const args = { ...filePath(t), flags: O_RDWR };
  const { descriptor } = await t.caller.succeed("file_open2", args);
  t.opened(descriptor);
  return { descriptor };
}

/** The same of a directory. */
async function listing(t: Trial): Promise<{ descriptor: number }> {
  const args = { path: bytesOf(t.path) };
  const { descriptor } = await t.caller.succeed("dir_open", args);
  t.opened(descriptor);
  return { descriptor };
}

/** Requests by path. */
const PATHS = {
  file_remove: filePath,
  file_link: twoPaths,
  file_rename: twoPaths,
  file_open: (t) => ({ ...filePath(t), mode: "r" }),
  file_open2: (t) => ({ ...filePath(t), flags: O_RDONLY }),
  dir_rm: directoryPath,
  dir_mv: (t) => ({ ...directoryPath(t), newPath: path(t, "new") }),
  dir_mk: (t) => ({ path: path(t, "new") }),
  dir_mkdir: (t) => ({ path: path(t, "new"), mode: 0o755 }),
  dir_open: directoryPath,
  dir_list: (t) => ({ path: bytesOf(t.path) }),
  path_symlink: (t) => ({ target: bytesOf("target"), path: path(t, "new") }),
  path_mknod: (t) => ({
    ...{ path: path(t, "new"), mode: S_IFIFO | 0o644, rdev: RDEV },
  }),
  path_readlink: (t) => {
    t.symlink("link", "target");
    return { path: path(t, "link") };
  },
  raw_inode: filePath,
  mode_set: (t) => ({ ...filePath(t), mode: 0o600 }),
  mode_get: filePath,
  owner_set: (t) => ({ ...filePath(t), uid: 5, gid: 6 }),
  owner_get: filePath,
  atime_set: (t) => ({ ...filePath(t), time: TIME }),
  atime_get: filePath,
  mtime_set: (t) => ({ ...filePath(t), time: TIME }),
  mtime_get: filePath,
  ctime_set: (t) => ({ ...filePath(t), time: TIME }),
  ctime_get: filePath,
} satisfies Partial<{ [K in OperationName]: Good<K> }>;

/** Requests on what is open by path, and on the session. */
const SESSION = {
  file_close: original,
  file_truncate: async (t) => ({ ...await original(t), size: 5 }),
  file_read: async (t) => ({ ...await original(t), length: 5 }),
  file_write: async (t) => ({ ...await original(t), data: bytesOf("data") }),
  file_seek: async (t) => ({ ...await original(t), offset: 3, origin: 0 }),
  file_tell: original,
  file_size: original,
  dir_close: listing,
  dir_entry_next: listing,
  dir_entry_rewind: listing,
  device_register: () => ({ device: `device ${crypto.randomUUID()}` }),
  mount: (t) => ({ device: "nextfs", mountPoint: path(t, "mounted") }),
  umount: async (t) => {
    const mountPoint = path(t, "mounted");
    await t.caller.succeed("mount", { device: "nextfs", mountPoint });
    return { mountPoint };
  },
  mount_point_stats: () => ({ mountPoint: bytesOf("/") }),
  cache_write_back: () => ({ mountPoint: bytesOf("/"), on: true }),
  fork: () => ({}),
  child_attach: async (t) => {
    const parent = await t.connect();
    return await parent.succeed("fork", {});
  },
  new_fdtable: () => ({}),
  ping: () => ({}),
  goodbye: () => ({}),
  cancel: () => ({ id: 1_000_000 }),
} satisfies Partial<{ [K in OperationName]: Good<K> }>;

/** See the module. */
export const GOOD: {
  readonly [K in Exclude<OperationName, Special>]: Good<K>;
} = { ...NODES, ...FILES, ...PATHS, ...SESSION };

/** Operations that need a connection of their own. */
export const ALONE: ReadonlySet<OperationName> = new Set([
  ...["hello", "goodbye", "child_attach", "new_fdtable", "fork"] as const,
  ...["device_register", "mount", "umount", "cache_write_back"] as const,
]);
