import assert from "node:assert/strict";
import { ACL_NO_ID, ACL_TAG, type AclEntry } from "./acl.ts";
import type {
  AttributeChanges,
  Attributes,
  Credentials,
} from "./attributes.ts";
import { S_IFCHR, S_IFDIR, S_IFIFO, S_IFLNK, S_IFREG } from "./attributes.ts";
import { FsError } from "./errors.ts";
import { nameBytes } from "./namespace.ts";
import {
  type Asker,
  checkOpening,
  checkPermitted,
  checkRemovable,
  checkSpecial,
  checkXattr,
  isPermitted,
  isXattrShown,
  permittedChanges,
  permittedMode,
} from "./permissions.ts";

const OWNER = 1000;
const NAMED = 1001;
const NOBODY = 1002;
const FILE_GROUP = 50;
const NAMED_GROUP = 51;
const OTHER_GROUP = 52;
const ROOT: Credentials = { uid: 0, gid: 0 };
const IMMUTABLE = 0x10;
const APPEND_ONLY = 0x20;
const NODUMP = 0x40;

const time = { sec: 0, nsec: 0 };

/** Attributes of a file, of which only some matter here. */
function file(mode: number, changes: Partial<Attributes> = {}): Attributes {
  return {
    ino: 12,
    generation: 1,
    mode: S_IFREG | mode,
    nlink: 1,
    uid: OWNER,
    gid: FILE_GROUP,
    rdev: { major: 0, minor: 0 },
    size: 0,
    blocks: 0,
    atime: time,
    mtime: time,
    ctime: time,
    birthtime: null,
    flags: 0,
    ...changes,
  };
}

/** Who asks about a file with this list. */
function asker(credentials: Credentials, list: AclEntry[] = []): Asker {
  return { credentials, acl: () => list };
}

const user = (uid: number, ...groups: number[]): Credentials => {
  return { uid, gid: groups[0] ?? OTHER_GROUP, groups: groups.slice(1) };
};

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

/** `rwx` for a user who may do all of it, alone and together. */
function permitted(attributes: Attributes, by: Asker): string {
  const letters = ["x", "w", "r"].map((letter, bit) =>
    isPermitted(attributes, 1 << bit, by) ? letter : "-"
  ).reverse().join("");
  const all = letters === "rwx";
  assert.equal(isPermitted(attributes, 7, by), all);
  return letters;
}

Deno.test("each user gets the bits of the first class that fits", () => {
  // Mode; then owner, member, supplementary member, others, superuser.
  const rows: [number, string][] = [
    [0o700, "rwx --- --- --- rwx"],
    [0o070, "--- rwx rwx --- rwx"],
    [0o007, "--- --- --- rwx rwx"],
    [0o421, "r-- -w- -w- --x rwx"],
    [0o142, "--x r-- r-- -w- rwx"],
    [0o666, "rw- rw- rw- rw- rw-"],
    [0o000, "--- --- --- --- rw-"],
    [0o010, "--- --x --x --- rwx"],
  ];
  const users = [
    user(OWNER, FILE_GROUP),
    user(NOBODY, FILE_GROUP),
    user(NOBODY, OTHER_GROUP, FILE_GROUP),
    user(NOBODY, OTHER_GROUP),
    ROOT,
  ];
  for (const [mode, expected] of rows) {
    const found = users.map((by) => permitted(file(mode), asker(by)));
    assert.equal(found.join(" "), expected, mode.toString(8));
  }
});

Deno.test("the superuser searches any directory", () => {
  const directory = file(0, { mode: S_IFDIR });
  assert.equal(permitted(directory, asker(ROOT)), "rwx");
});

Deno.test("a list's entries count within its mask, but for the owner", () => {
  const list = (mask: number): AclEntry[] => [
    { tag: ACL_TAG.userObject, permissions: 1, id: ACL_NO_ID },
    { tag: ACL_TAG.user, permissions: 6, id: NAMED },
    { tag: ACL_TAG.groupObject, permissions: 4, id: ACL_NO_ID },
    { tag: ACL_TAG.group, permissions: 2, id: NAMED_GROUP },
    { tag: ACL_TAG.mask, permissions: mask, id: ACL_NO_ID },
    { tag: ACL_TAG.other, permissions: 1, id: ACL_NO_ID },
  ];
  const users = {
    owner: user(OWNER, NAMED_GROUP),
    named: user(NAMED, FILE_GROUP),
    group: user(NOBODY, FILE_GROUP),
    namedGroup: user(NOBODY, OTHER_GROUP, NAMED_GROUP),
    bothGroups: user(NOBODY, FILE_GROUP, NAMED_GROUP),
    other: user(NOBODY, OTHER_GROUP),
  };
  const rows: [number, string][] = [
    [7, "--x rw- r-- -w- rw- --x"],
    [4, "--x r-- r-- --- r-- --x"],
    [2, "--x -w- --- -w- -w- --x"],
    [0, "--x --- --- --- --- --x"],
  ];
  for (const [mask, expected] of rows) {
    const attributes = file(0o101 | mask << 3);
    const found = Object.values(users).map((by) =>
      permitted(attributes, asker(by, list(mask)))
    );
    assert.equal(found.join(" "), expected, `mask ${mask}`);
  }
  // What two groups give apart, no entry gives at once.
  const both = asker(users.bothGroups, list(7));
  assert.equal(isPermitted(file(0o171), 6, both), false);
});

Deno.test("a list is not looked at where it does not decide", () => {
  const acl = (): never => assert.fail("looked at");
  for (const credentials of [ROOT, user(OWNER), user(NOBODY)]) {
    isPermitted(file(0o600), 4, { credentials, acl });
  }
});

Deno.test("nobody gets write access to an immutable file", () => {
  const frozen = file(0o777, { flags: IMMUTABLE });
  for (const credentials of [ROOT, user(OWNER), user(NOBODY)]) {
    const by = asker(credentials);
    assert.equal(outcome(() => checkPermitted(frozen, 2, by)), "EPERM");
    assert.equal(outcome(() => checkPermitted(frozen, 5, by)), "done");
  }
});

Deno.test("an append-only file is opened to append, or to read", () => {
  const log = file(0o666, { flags: APPEND_ONLY });
  const no = { read: false, write: false };
  const rows = [
    [{ ...no, read: true }, "done"],
    [{ ...no, write: true, append: true }, "done"],
    [{ ...no, write: true }, "EPERM"],
    [{ read: true, write: true }, "EPERM"],
    [{ ...no, write: true, append: true, truncate: true }, "EPERM"],
  ] as const;
  for (const [wants, expected] of rows) {
    for (const by of [asker(ROOT), asker(user(NOBODY))]) {
      assert.equal(outcome(() => checkOpening(log, wants, by)), expected);
    }
  }
  const mine = asker(user(NOBODY));
  const emptied = { ...no, read: true, truncate: true };
  assert.equal(
    outcome(() => checkOpening(file(0o644), emptied, mine)),
    "EACCES",
  );
});

Deno.test("attributes are changed by those who may", () => {
  const given = { sec: 5, nsec: 0 };
  const now = "now" as const;
  // Changes; then owner, owner in the other group, stranger who may write,
  // stranger, superuser.
  const rows: [AttributeChanges, string][] = [
    [{ mode: 0o600 }, "done done EPERM EPERM done"],
    [{ uid: OWNER }, "done done EPERM EPERM done"],
    [{ uid: NOBODY }, "EPERM EPERM EPERM EPERM done"],
    [{ gid: FILE_GROUP }, "done done EPERM EPERM done"],
    [{ gid: OTHER_GROUP }, "EPERM done EPERM EPERM done"],
    [{ size: 1 }, "done done done EACCES done"],
    [{ size: 1, mtime: now }, "done done done EACCES done"],
    [{ atime: now, mtime: now }, "done done done EACCES done"],
    [{ mtime: now }, "done done EPERM EPERM done"],
    [{ atime: now, mtime: given }, "done done EPERM EPERM done"],
    [{ atime: given }, "done done EPERM EPERM done"],
    [{ ctime: given }, "EPERM EPERM EPERM EPERM done"],
    [{ birthtime: given }, "EPERM EPERM EPERM EPERM done"],
    [{ flags: NODUMP }, "done done EPERM EPERM done"],
    [{ flags: IMMUTABLE }, "EPERM EPERM EPERM EPERM done"],
    [{ flags: APPEND_ONLY }, "EPERM EPERM EPERM EPERM done"],
  ];
  const users = [
    [user(OWNER, FILE_GROUP), 0o640],
    [user(OWNER, FILE_GROUP, OTHER_GROUP), 0o640],
    [user(NOBODY, OTHER_GROUP), 0o642],
    [user(NOBODY, OTHER_GROUP), 0o644],
    [ROOT, 0],
  ] as const;
  for (const [changes, expected] of rows) {
    const found = users.map(([by, mode]) =>
      outcome(() => permittedChanges(file(mode), changes, asker(by)))
    );
    assert.equal(found.join(" "), expected, JSON.stringify(changes));
  }
});

Deno.test("only the superuser thaws what flags have frozen", () => {
  for (const flags of [IMMUTABLE, APPEND_ONLY]) {
    const frozen = file(0o644, { flags });
    const thaw = (by: Credentials): string =>
      outcome(() => permittedChanges(frozen, { flags: 0 }, asker(by)));
    assert.equal(thaw(user(OWNER)), "EPERM");
    assert.equal(thaw(ROOT), "done");
  }
});

Deno.test("who is not in its group cannot make a file set-gid", () => {
  const mode = 0o6755;
  const change = (by: Credentials, changes: AttributeChanges): number =>
    permittedChanges(file(0o755), changes, asker(by)).mode!;
  assert.equal(change(user(OWNER, FILE_GROUP), { mode }), 0o6755);
  assert.equal(change(user(OWNER, OTHER_GROUP, FILE_GROUP), { mode }), 0o6755);
  assert.equal(change(user(OWNER, OTHER_GROUP), { mode }), 0o4755);
  assert.equal(change(ROOT, { mode }), 0o6755);
  const both = { mode, gid: OTHER_GROUP };
  assert.equal(change(user(OWNER, OTHER_GROUP), both), 0o6755);
});

Deno.test("a set-gid directory lends its group to no stranger's program", () => {
  const dir = file(0, { mode: S_IFDIR | 0o2777 });
  const plain = file(0, { mode: S_IFDIR | 0o777 });
  const made = (by: Credentials, kind: number, mode: number, into = dir) =>
    permittedMode(into, { kind, mode }, by);
  const stranger = user(NOBODY, OTHER_GROUP);
  assert.equal(made(stranger, S_IFREG, 0o2755), 0o755);
  assert.equal(made(stranger, S_IFREG, 0o2745), 0o2745);
  assert.equal(made(stranger, S_IFDIR, 0o2755), 0o2755);
  assert.equal(made(stranger, S_IFREG, 0o2755, plain), 0o2755);
  assert.equal(made(user(NOBODY, FILE_GROUP), S_IFREG, 0o2755), 0o2755);
  assert.equal(made(ROOT, S_IFREG, 0o2755), 0o2755);
});

Deno.test("devices are the superuser's to make, but for the one of no driver", () => {
  const make = (by: Credentials, kind: number, major: number): string =>
    outcome(() => checkSpecial({ kind, rdev: { major, minor: 0 } }, by));
  assert.equal(make(user(OWNER), S_IFCHR, 1), "EPERM");
  assert.equal(make(user(OWNER), S_IFCHR, 0), "done");
  assert.equal(make(user(OWNER), S_IFIFO, 0), "done");
  assert.equal(make(ROOT, S_IFCHR, 1), "done");
});

Deno.test("names in a sticky directory go by the owners of file and directory", () => {
  const sticky = file(0, { mode: S_IFDIR | 0o1777, uid: NAMED });
  const plain = file(0, { mode: S_IFDIR | 0o777, uid: NAMED });
  const take = (uid: number, dir: Attributes, victim = file(0)): string =>
    outcome(() => checkRemovable(dir, victim, user(uid)));
  assert.equal(take(OWNER, sticky), "done");
  assert.equal(take(NAMED, sticky), "done");
  assert.equal(take(NOBODY, sticky), "EPERM");
  assert.equal(take(0, sticky), "done");
  assert.equal(take(NOBODY, plain), "done");
  const frozen = file(0o777, { flags: APPEND_ONLY });
  assert.equal(take(OWNER, plain, frozen), "EPERM");
  const log = { ...plain, flags: APPEND_ONLY };
  assert.equal(take(NAMED, log), "EPERM");
});

Deno.test("extended attributes are read and changed as their kind asks", () => {
  const directory = S_IFDIR | 0o755;
  const sticky = S_IFDIR | 0o1777;
  const acl = "system.posix_acl_access";
  const standard = "system.posix_acl_default";
  // Mode, name; read by owner and stranger, changed by owner, stranger, root.
  const rows: [number, string, string][] = [
    [S_IFREG | 0o600, "user.x", "done EACCES done EACCES done"],
    [S_IFREG | 0o646, "user.x", "done done done done done"],
    [S_IFREG | 0o466, "user.x", "done done EACCES done done"],
    [directory, "user.x", "done done done EACCES done"],
    [sticky, "user.x", "done done done EPERM done"],
    [S_IFIFO | 0o666, "user.x", "ENODATA ENODATA EPERM EPERM done"],
    [S_IFLNK | 0o777, "user.x", "ENODATA ENODATA EPERM EPERM done"],
    [S_IFREG | 0o666, "trusted.x", "ENODATA ENODATA EPERM EPERM done"],
    [S_IFREG | 0o666, "security.x", "done done EPERM EPERM done"],
    [S_IFREG | 0o006, acl, "done done done EPERM done"],
    [directory, standard, "done done done EPERM done"],
    [S_IFREG | 0o666, standard, "done done EACCES EACCES done"],
    [S_IFLNK | 0o777, acl, "done done EOPNOTSUPP EOPNOTSUPP done"],
    [S_IFREG | 0o666, "strange.x", Array(5).fill("EOPNOTSUPP").join(" ")],
  ];
  for (const [mode, text, expected] of rows) {
    const name = nameBytes(text);
    const check = (by: Credentials, isWrite: boolean): string =>
      outcome(() =>
        checkXattr(file(0, { mode }), { name, isWrite }, asker(by))
      );
    const found = [
      check(user(OWNER), false),
      check(user(NOBODY), false),
      check(user(OWNER), true),
      check(user(NOBODY), true),
      check(ROOT, true),
    ];
    assert.equal(found.join(" "), expected, `${text} of ${mode.toString(8)}`);
  }
  const frozen = file(0o644, { flags: APPEND_ONLY });
  const what = { name: nameBytes("user.x"), isWrite: true };
  const nobody = asker(user(NOBODY));
  assert.equal(outcome(() => checkXattr(frozen, what, nobody)), "EPERM");
});

Deno.test("trusted attributes are shown to the superuser only", () => {
  const shown = (name: string, by: Credentials): boolean =>
    isXattrShown(nameBytes(name), by);
  assert.equal(shown("trusted.x", user(OWNER)), false);
  assert.equal(shown("trusted.x", ROOT), true);
  assert.equal(shown("security.x", user(OWNER)), true);
});
