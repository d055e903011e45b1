import assert from "node:assert/strict";
import { formatted } from "../tests/support/images.ts";
import { ACL_NO_ID, ACL_TAG, encodeAcl } from "./acl.ts";
import {
  type Credentials,
  Filesystem,
  FsError,
  GuardedFilesystem,
  type GuardOptions,
  MAY_EXECUTE,
  MAY_READ,
  MAY_WRITE,
  Paths,
  ROOT_INODE,
  S_IFCHR,
  S_IFIFO,
} from "./mod.ts";

const OWNER: Credentials = { uid: 1000, gid: 50 };
const OTHER: Credentials = { uid: 1001, gid: 51 };
const SUPERUSER: Credentials = { uid: 0, gid: 0 };
const ONE = Uint8Array.of(1);
const LIST = encodeAcl([
  { tag: ACL_TAG.userObject, permissions: 7, id: ACL_NO_ID },
  { tag: ACL_TAG.groupObject, permissions: 5, id: ACL_NO_ID },
  { tag: ACL_TAG.other, permissions: 4, id: ACL_NO_ID },
]);

/** The errno name with which `call` is refused, or "done". */
function outcome(call: () => unknown): string {
  try {
    call();
    return "done";
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
}

/** A volume with a directory, a file, and a directory with one in it. */
interface Scene {
  readonly fs: Filesystem;
  /** Directory of the owner. */
  readonly dir: number;
  /** File `file` in it, of the owner. */
  readonly file: number;
  /** Directory `below` in it, of the owner, with a file `inner`. */
  readonly below: number;
}

/** The scene, with these permissions of `dir` and of what is in it. */
function scene(dirMode: number, mode: number): Scene {
  const fs = Filesystem.open(formatted({ blockSize: 1024, blockCount: 2048 }));
  const credentials = OWNER;
  const dir = fs.mkdir(ROOT_INODE, "dir", { credentials });
  const file = fs.create(dir, "file", { credentials });
  const below = fs.mkdir(dir, "below", { credentials, mode: 0o777 });
  fs.create(below, "inner", { credentials });
  fs.symlink(dir, "link", "file", { credentials });
  fs.write(file, 0, ONE);
  for (const name of ["user.x", "trusted.x", "security.x"]) {
    fs.setxattr(file, name, ONE);
  }
  for (const ino of [dir, file]) fs.setattr(ino, { mode: 0o755 });
  fs.setattr(file, { mode });
  fs.setattr(dir, { mode: dirMode });
  return { fs, dir, file, below };
}

function guarded(fs: Filesystem, options: GuardOptions): GuardedFilesystem {
  return new GuardedFilesystem(fs, options);
}

type Call = (fs: GuardedFilesystem, scene: Scene) => unknown;

const now = "now" as const;

/** Every call that looks at the directory. */
const DIRECTORY_CALLS: Readonly<Record<string, Call>> = {
  lookup: (fs, { dir }) => fs.lookup(dir, "file"),
  "lookup .": (fs, { dir }) => fs.lookup(dir, "."),
  readdir: (fs, { dir }) => fs.readdir(dir, 0),
  create: (fs, { dir }) => fs.create(dir, "new"),
  mkdir: (fs, { dir }) => fs.mkdir(dir, "new"),
  mknod: (fs, { dir }) => fs.mknod(dir, "new", { kind: S_IFIFO }),
  symlink: (fs, { dir }) => fs.symlink(dir, "new", "x"),
  link: (fs, { dir, file }) => fs.link(file, dir, "new"),
  "create again": (fs, { dir }) => fs.create(dir, "file"),
  "link again": (fs, { dir, file }) => fs.link(file, dir, "file"),
  unlink: (fs, { dir }) => fs.unlink(dir, "file"),
  "unlink nothing": (fs, { dir }) => fs.unlink(dir, "nothing"),
  "unlink .": (fs, { dir }) => fs.unlink(dir, "."),
  rmdir: (fs, { dir }) => fs.rmdir(dir, "below"),
  "rmdir ..": (fs, { dir }) => fs.rmdir(dir, ".."),
  "rename here": (fs, { dir }) => fs.rename(dir, "file", dir, "new"),
  "rename away": (fs, { dir, below }) => fs.rename(dir, "file", below, "new"),
  "rename to here": (fs, { dir, below }) =>
    fs.rename(below, "inner", dir, "new"),
  "replace here": (fs, { dir, below }) =>
    fs.rename(below, "inner", dir, "file"),
};

Deno.test("each call on a directory asks for its permissions", () => {
  const all = [0o777, 0o773, 0o771, 0o774, 0o770, 0o1777];
  const rows: [string, string][] = [
    // With rwx, -wx, --x, r--, ---, and rwx with sticky.
    ["lookup", "done done done EACCES EACCES done"],
    ["lookup .", "done done done EACCES EACCES done"],
    ["readdir", "done EACCES EACCES done EACCES done"],
    ["create", "done done EACCES EACCES EACCES done"],
    ["mkdir", "done done EACCES EACCES EACCES done"],
    ["mknod", "done done EACCES EACCES EACCES done"],
    ["symlink", "done done EACCES EACCES EACCES done"],
    ["link", "done done EACCES EACCES EACCES done"],
    ["create again", "EEXIST EEXIST EEXIST EACCES EACCES EEXIST"],
    ["link again", "EEXIST EEXIST EEXIST EACCES EACCES EEXIST"],
    ["unlink", "done done EACCES EACCES EACCES EPERM"],
    ["unlink nothing", "ENOENT ENOENT ENOENT EACCES EACCES ENOENT"],
    ["unlink .", "EISDIR EISDIR EISDIR EACCES EACCES EISDIR"],
    ["rmdir", "ENOTEMPTY ENOTEMPTY EACCES EACCES EACCES EPERM"],
    ["rmdir ..", "ENOTEMPTY ENOTEMPTY ENOTEMPTY EACCES EACCES ENOTEMPTY"],
    ["rename here", "done done EACCES EACCES EACCES EPERM"],
    ["rename away", "done done EACCES EACCES EACCES EPERM"],
    ["rename to here", "done done EACCES EACCES EACCES done"],
    ["replace here", "done done EACCES EACCES EACCES EPERM"],
  ];
  assert.deepEqual(rows.map(([what]) => what), Object.keys(DIRECTORY_CALLS));
  for (const [what, expected] of rows) {
    const attempts = (credentials: Credentials): string[] =>
      all.map((mode) => {
        const made = scene(mode, 0o644);
        const fs = guarded(made.fs, { credentials });
        return outcome(() => DIRECTORY_CALLS[what](fs, made));
      });
    assert.equal(attempts(OTHER).join(" "), expected, what);
    const isRefused = /EACCES|EPERM/.test(attempts(SUPERUSER).join(" "));
    assert.equal(isRefused, false, `${what} by the superuser`);
  }
});

/** Every call that looks at the file. */
const FILE_CALLS: Readonly<Record<string, Call>> = {
  getattr: (fs, { file }) => fs.getattr(file),
  access: (fs, { file }) => fs.checkAccess(file, 0),
  "access r": (fs, { file }) => fs.checkAccess(file, MAY_READ),
  "access w": (fs, { file }) => fs.checkAccess(file, MAY_WRITE),
  "access x": (fs, { file }) => fs.checkAccess(file, MAY_EXECUTE),
  "open r": (fs, { file }) =>
    fs.checkOpen(fs.getattr(file), { read: true, write: false }),
  "open w": (fs, { file }) =>
    fs.checkOpen(fs.getattr(file), { read: false, write: true }),
  read: (fs, { file }) => fs.read(file, 0, new Uint8Array(1)),
  write: (fs, { file }) => fs.write(file, 0, ONE),
  resize: (fs, { file }) => fs.setattr(file, { size: 0 }),
  chmod: (fs, { file }) => fs.setattr(file, { mode: 0o600 }),
  chown: (fs, { file }) => fs.setattr(file, { uid: OTHER.uid }),
  chgrp: (fs, { file }) => fs.setattr(file, { gid: OTHER.gid }),
  touch: (fs, { file }) => fs.setattr(file, { atime: now, mtime: now }),
  getxattr: (fs, { file }) => fs.getxattr(file, "user.x"),
  setxattr: (fs, { file }) => fs.setxattr(file, "user.x", ONE),
  removexattr: (fs, { file }) => fs.removexattr(file, "user.x"),
  "get trusted": (fs, { file }) => fs.getxattr(file, "trusted.x"),
  "set trusted": (fs, { file }) => fs.setxattr(file, "trusted.x", ONE),
  "get security": (fs, { file }) => fs.getxattr(file, "security.x"),
  "remove security": (fs, { file }) => fs.removexattr(file, "security.x"),
  "set list": (fs, { file }) =>
    fs.setxattr(file, "system.posix_acl_access", LIST),
  listxattr: (fs, { file }) => fs.listxattr(file),
};

Deno.test("each call on a file asks for its permissions", () => {
  const rows: [string, string][] = [
    // Others with rwx, r--, -w-, ---; the owner with ---; the superuser.
    ["getattr", "done done done done done done"],
    ["access", "done done done done done done"],
    ["access r", "done done EACCES EACCES EACCES done"],
    ["access w", "done EACCES done EACCES EACCES done"],
    ["access x", "done EACCES EACCES EACCES EACCES EACCES"],
    ["open r", "done done EACCES EACCES EACCES done"],
    ["open w", "done EACCES done EACCES EACCES done"],
    ["read", "done done EACCES EACCES EACCES done"],
    ["write", "done EACCES done EACCES EACCES done"],
    ["resize", "done EACCES done EACCES EACCES done"],
    ["chmod", "EPERM EPERM EPERM EPERM done done"],
    ["chown", "EPERM EPERM EPERM EPERM EPERM done"],
    ["chgrp", "EPERM EPERM EPERM EPERM EPERM done"],
    ["touch", "done EACCES done EACCES done done"],
    ["getxattr", "done done EACCES EACCES EACCES done"],
    ["setxattr", "done EACCES done EACCES EACCES done"],
    ["removexattr", "done EACCES done EACCES EACCES done"],
    ["get trusted", "ENODATA ENODATA ENODATA ENODATA ENODATA done"],
    ["set trusted", "EPERM EPERM EPERM EPERM EPERM done"],
    ["get security", "done done done done done done"],
    ["remove security", "EPERM EPERM EPERM EPERM EPERM done"],
    ["set list", "EPERM EPERM EPERM EPERM done done"],
    ["listxattr", "done done done done done done"],
  ];
  assert.deepEqual(rows.map(([what]) => what), Object.keys(FILE_CALLS));
  const users: [Credentials, number][] = [
    [OTHER, 0o7],
    [OTHER, 0o4],
    [OTHER, 0o2],
    [OTHER, 0],
    [OWNER, 0],
    [SUPERUSER, 0],
  ];
  for (const [what, expected] of rows) {
    const found = users.map(([credentials, mode]) => {
      const made = scene(0o755, mode);
      const fs = guarded(made.fs, { credentials });
      return outcome(() => FILE_CALLS[what](fs, made));
    });
    assert.equal(found.join(" "), expected, what);
  }
});

Deno.test("a read-only guard refuses every change, to the superuser as well", () => {
  const changing = [
    ..."create mkdir mknod symlink link unlink rmdir".split(" "),
    ...["unlink nothing", "unlink .", "rmdir ..", "rename here"],
    ...["rename away", "rename to here", "replace here", "access w"],
    ...["open w", "write", "resize", "chmod", "chown", "chgrp", "touch"],
    ...["setxattr", "removexattr", "set trusted", "remove security"],
    "set list",
  ];
  const calls = { ...DIRECTORY_CALLS, ...FILE_CALLS };
  for (const [what, call] of Object.entries(calls)) {
    const expected = changing.includes(what)
      ? "EROFS"
      : what.endsWith("again")
      ? "EEXIST"
      : "done";
    for (const credentials of [SUPERUSER, OWNER]) {
      const isTrusted = what === "get trusted" && credentials === OWNER;
      const made = scene(0o777, 0o755);
      const fs = guarded(made.fs, { credentials, readOnly: true });
      assert.equal(fs.readOnly, true);
      const found = outcome(() => call(fs, made));
      assert.equal(found, isTrusted ? "ENODATA" : expected, what);
    }
  }
  const made = scene(0o777, 0o755);
  const fs = guarded(made.fs, { credentials: SUPERUSER, readOnly: true });
  assert.equal(fs.statfs().readOnly, true);
  assert.equal(made.fs.statfs().readOnly, false);
});

Deno.test("what is not a directory is said to be none, whoever asks", () => {
  for (const credentials of [SUPERUSER, OTHER]) {
    const made = scene(0o777, 0o000);
    const fs = guarded(made.fs, { credentials });
    const calls = [
      () => fs.lookup(made.file, "x"),
      () => fs.readdir(made.file, 0),
      () => fs.create(made.file, "x"),
      () => fs.unlink(made.file, "x"),
      () => fs.rename(made.file, "x", made.dir, "y"),
    ];
    for (const call of calls) assert.equal(outcome(call), "ENOTDIR");
  }
});

Deno.test("what is made belongs to who makes it, or to the group of a set-gid directory", () => {
  const { fs, dir } = scene(0o777, 0o644);
  const theirs = guarded(fs, { credentials: OTHER });
  const made = [
    theirs.create(dir, "1"),
    theirs.mkdir(dir, "2"),
    theirs.symlink(dir, "3", "x"),
    theirs.mknod(dir, "4", { kind: S_IFIFO, mode: 0o600 }),
  ];
  for (const ino of made) {
    const { uid, gid } = fs.getattr(ino);
    assert.deepEqual([uid, gid], [OTHER.uid, OTHER.gid]);
  }
  fs.setattr(dir, { mode: 0o2777 });
  const lent = fs.getattr(theirs.create(dir, "5", { mode: 0o2755 }));
  assert.deepEqual([lent.gid, lent.mode & 0o7777], [OWNER.gid, 0o755]);
  const device = (): number =>
    theirs.mknod(dir, "6", { kind: S_IFCHR, rdev: { major: 1, minor: 3 } });
  assert.equal(outcome(device), "EPERM");
});

Deno.test("a directory that moves to another must be writable itself", () => {
  const { fs, dir, below } = scene(0o777, 0o644);
  const theirs = guarded(fs, { credentials: OTHER });
  fs.setattr(below, { mode: 0o755 });
  const target = fs.mkdir(ROOT_INODE, "target", { mode: 0o777 });
  const move = (to: number): string =>
    outcome(() => theirs.rename(dir, "below", to, "moved"));
  assert.equal(move(target), "EACCES");
  assert.equal(move(dir), "done");
});

Deno.test("rename() onto another name of the file asks nothing, and does nothing", () => {
  const { fs, dir, file } = scene(0o755, 0o644);
  fs.link(file, dir, "twin");
  const theirs = guarded(fs, { credentials: OTHER });
  theirs.rename(dir, "file", dir, "twin");
  assert.equal(fs.getattr(file).nlink, 2);
  const refuse = (): void =>
    theirs.rename(dir, "file", dir, "twin", { noReplace: true });
  assert.equal(outcome(refuse), "EEXIST");
});

Deno.test("an access control list counts in every call", () => {
  const { fs, dir, file } = scene(0o700, 0o600);
  for (const [ino, permissions] of [[dir, 1], [file, 4]]) {
    const list = encodeAcl([
      { tag: ACL_TAG.userObject, permissions: 7, id: ACL_NO_ID },
      { tag: ACL_TAG.user, permissions, id: OTHER.uid },
      { tag: ACL_TAG.groupObject, permissions: 0, id: ACL_NO_ID },
      { tag: ACL_TAG.mask, permissions: 7, id: ACL_NO_ID },
      { tag: ACL_TAG.other, permissions: 0, id: ACL_NO_ID },
    ]);
    fs.setxattr(ino, "system.posix_acl_access", list);
  }
  const theirs = guarded(fs, { credentials: OTHER });
  assert.equal(theirs.lookup(dir, "file"), file);
  assert.equal(theirs.maySearch(dir), true);
  assert.equal(outcome(() => theirs.readdir(dir, 0)), "EACCES");
  assert.equal(theirs.read(file, 0, new Uint8Array(1)), 1);
  assert.equal(outcome(() => theirs.write(file, 0, ONE)), "EACCES");
});

Deno.test("a list set by who is not in its group takes the set-gid bit", () => {
  const { fs, file } = scene(0o755, 0o2755);
  const name = "system.posix_acl_access";
  guarded(fs, { credentials: OWNER }).setxattr(file, name, LIST);
  assert.equal(fs.getattr(file).mode & 0o7777, 0o2754);
  const credentials = { uid: OWNER.uid, gid: OTHER.gid };
  guarded(fs, { credentials }).setxattr(file, name, LIST);
  assert.equal(fs.getattr(file).mode & 0o7777, 0o754);
});

Deno.test("a path is searched with the permissions of each directory on it", () => {
  const { fs } = scene(0o700, 0o644);
  fs.symlink(ROOT_INODE, "way in", "/dir/file");
  const paths = (credentials: Credentials): Paths<GuardedFilesystem> =>
    new Paths(guarded(fs, { credentials }));
  for (const path of ["/dir/file", "/dir/below/inner", "/way in", "/dir/."]) {
    assert.equal(outcome(() => paths(OTHER).stat(path)), "EACCES", path);
    assert.equal(outcome(() => paths(OWNER).stat(path)), "done", path);
    assert.equal(outcome(() => paths(SUPERUSER).stat(path)), "done", path);
  }
  assert.equal(outcome(() => paths(OTHER).stat("/dir")), "done");
  const remove = (): void => paths(OTHER).removeAll("/dir");
  assert.equal(outcome(remove), "EACCES");
});

Deno.test("ordinary users leave the reserved blocks alone, whatever they do", () => {
  const fs = Filesystem.open(formatted({
    blockSize: 1024,
    blockCount: 2048,
    reservedPercent: 20,
  }));
  fs.setattr(ROOT_INODE, { mode: 0o777 });
  const theirs = guarded(fs, { credentials: OTHER });
  const ino = theirs.create(ROOT_INODE, "full");
  const piece = new Uint8Array(1024);
  const fill = (): void => {
    for (let i = 0;; i++) theirs.write(ino, i * 1024, piece);
  };
  assert.equal(outcome(fill), "ENOSPC");
  const { blocksFree } = fs.statfs();
  const large = new Uint8Array(800);
  const set = (): void => theirs.setxattr(ino, "user.large", large);
  assert.equal(outcome(set), "ENOSPC");
  const link = (): void => {
    for (let i = 0;; i++) {
      theirs.link(ino, ROOT_INODE, `${i}`.padStart(250, "0"));
    }
  };
  assert.equal(outcome(link), "ENOSPC");
  assert.equal(fs.statfs().blocksFree, blocksFree);
});
