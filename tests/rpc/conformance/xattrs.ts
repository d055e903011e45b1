/**
 * Cases: extended attributes.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import assert from "node:assert/strict";
import { INODE_BASE_SIZE } from "../../../fs/inode.ts";
import type { Arguments, Node } from "../../../rpc/mod.ts";
import { type Case, fails, succeeds } from "./case.ts";
import { bytesOf, IMMUTABLE_FL, textOf, type Trial } from "./trial.ts";

const ANY = { create: false, replace: false };
const VALUE = bytesOf("value");
/** An access control list (acl(5)) that gives user 1000 all. */
const ACL = Uint8Array.from([
  ...[2, 0, 0, 0],
  ...[1, 0, 6, 0, 255, 255, 255, 255],
  ...[2, 0, 7, 0, 0xe8, 3, 0, 0],
  ...[4, 0, 4, 0, 255, 255, 255, 255],
  ...[16, 0, 7, 0, 255, 255, 255, 255],
  ...[32, 0, 4, 0, 255, 255, 255, 255],
]);
const ACCESS = "system.posix_acl_access";
const DEFAULT = "system.posix_acl_default";

/** A file with attributes. */
function attributed(t: Trial, ...names: string[]): Node {
  const node = t.file("file");
  for (const name of names) t.fs.setxattr(node.ino, name, VALUE);
  return node;
}

const setting = (
  make: (t: Trial) => Node,
  name: string,
  value = VALUE,
  options = ANY,
) =>
(t: Trial): Arguments<"setxattr"> => ({
  ...{ node: make(t), name: bytesOf(name), value, ...options },
});

const file = (t: Trial): Node => t.file("file");
const link = (t: Trial): Node => t.symlink("link", "target");

const FOUND: Case[] = [
  ...[0, 1, 40, 3000].map((length) =>
    succeeds("getxattr", `a value of ${length} bytes`, {
      args(t) {
        const node = t.file("file");
        t.fs.setxattr(node.ino, "user.x", new Uint8Array(length).fill(7));
        return { node, name: bytesOf("user.x") };
      },
      check(_, { value }) {
        assert.deepEqual(value, new Uint8Array(length).fill(7));
      },
    })
  ),
  fails("getxattr", "ENODATA", "no such attribute", {
    args: (t) => ({ node: attributed(t, "user.y"), name: bytesOf("user.x") }),
  }),
  fails("getxattr", "EOPNOTSUPP", "an unknown kind of attribute", {
    args: (t) => ({ node: t.file("file"), name: bytesOf("other.x") }),
  }),
  fails("getxattr", "EOPNOTSUPP", "the list of a symbolic link", {
    args: (t) => ({ node: link(t), name: bytesOf(ACCESS) }),
  }),
  fails("getxattr", "EINVAL", "a kind without a name", {
    args: (t) => ({ node: t.file("file"), name: bytesOf("user.") }),
  }),
  fails("getxattr", "EACCES", "of a file that the user may not read", {
    as: "user",
    args(t) {
      const node = attributed(t, "user.x");
      t.fs.setattr(node.ino, { mode: 0o600 });
      return { node, name: bytesOf("user.x") };
    },
  }),
  fails("getxattr", "ENODATA", "the superuser's, asked for by a user", {
    as: "user",
    args: (t) => ({
      ...{ node: attributed(t, "trusted.x"), name: bytesOf("trusted.x") },
    }),
  }),
  succeeds("listxattr", "several", {
    args: (t) => ({ node: attributed(t, "user.x", "trusted.y", "security.z") }),
    check(_, { names }) {
      assert.deepEqual(names.map(textOf).sort(), [
        ...["security.z", "trusted.y", "user.x"],
      ]);
    },
  }),
  succeeds("listxattr", "none", {
    args: (t) => ({ node: t.file("file") }),
    check: (_, { names }) => assert.deepEqual(names, []),
  }),
  succeeds("listxattr", "without those of the superuser, for a user", {
    as: "user",
    args: (t) => ({ node: attributed(t, "user.x", "trusted.y") }),
    check: (_, { names }) => assert.deepEqual(names.map(textOf), ["user.x"]),
  }),
  ...(["getxattr", "removexattr"] as const).map((operation) =>
    fails(operation, "EUCLEAN", "attributes that break the format", {
      when: "damaged",
      args(t) {
        const node = attributed(t, "user.x");
        // The first entry behind the magic number: a name beyond the inode.
        const at = INODE_BASE_SIZE + 32 + 4;
        t.harm(node, at, 255);
        return { node, name: bytesOf("user.x") };
      },
    })
  ),
];

const SET: Case[] = [
  succeeds("setxattr", "a new one", {
    args: setting(file, "user.new"),
    check(t) {
      const { ino } = t.get("file");
      assert.deepEqual(t.fs.getxattr(ino, "user.new"), VALUE);
    },
  }),
  succeeds("setxattr", "one that is there", {
    args: setting((t) => attributed(t, "user.x"), "user.x", bytesOf("other"), {
      ...{ create: false, replace: true },
    }),
    check(t) {
      const value = t.fs.getxattr(t.get("file").ino, "user.x");
      assert.equal(textOf(value), "other");
    },
  }),
  succeeds("setxattr", "an access control list, which is the mode as well", {
    args: setting(file, ACCESS, ACL),
    check(t) {
      const { ino } = t.get("file");
      assert.deepEqual(t.fs.getxattr(ino, ACCESS), ACL);
      assert.equal(t.fs.getattr(ino).mode & 0o777, 0o674);
    },
  }),
  fails("setxattr", "EEXIST", "one that is there, to be new", {
    args: setting((t) => attributed(t, "user.x"), "user.x", VALUE, {
      ...{ create: true, replace: false },
    }),
  }),
  fails("setxattr", "ENODATA", "one that is not there, to be replaced", {
    args: setting(file, "user.x", VALUE, { create: false, replace: true }),
  }),
  fails("setxattr", "EOPNOTSUPP", "an unknown kind of attribute", {
    args: setting(file, "other.x"),
  }),
  fails("setxattr", "EOPNOTSUPP", "a list for a symbolic link", {
    args: setting(link, ACCESS, ACL),
  }),
  fails("setxattr", "EINVAL", "a malformed list", {
    args: setting(file, ACCESS, ACL.subarray(0, 11)),
  }),
  fails("setxattr", "EACCES", "a default list for a file", {
    args: setting(file, DEFAULT, ACL),
  }),
  fails("setxattr", "ENOSPC", "a value that no block holds", {
    args: setting(file, "user.x", new Uint8Array(65536)),
  }),
  fails("setxattr", "ENOSPC", "a value for a block, and no free block", {
    ...{ when: "full", args: setting(file, "user.x", new Uint8Array(2000)) },
  }),
  fails("setxattr", "EPERM", "a user's attribute of a link", {
    args: setting(link, "user.x"),
  }),
  fails("setxattr", "EPERM", "a file that is immutable", {
    args: setting((t) => {
      const node = t.file("file");
      t.fs.setattr(node.ino, { flags: IMMUTABLE_FL });
      return node;
    }, "user.x"),
  }),
  fails("setxattr", "EPERM", "the superuser's, by a user", {
    ...{ as: "user", args: setting(file, "trusted.x") },
  }),
  fails("setxattr", "EACCES", "a file that the user may not write", {
    ...{ as: "user", args: setting(file, "user.x") },
  }),
];

const REMOVED: Case[] = [
  succeeds("removexattr", "one of two", {
    args: (t) => ({
      ...{ node: attributed(t, "user.x", "user.y"), name: bytesOf("user.x") },
    }),
    check(t) {
      const names = t.fs.listxattr(t.get("file").ino).map(textOf);
      assert.deepEqual(names, ["user.y"]);
    },
  }),
  fails("removexattr", "ENODATA", "no such attribute", {
    args: (t) => ({ node: t.file("file"), name: bytesOf("user.x") }),
  }),
  fails("removexattr", "EOPNOTSUPP", "an unknown kind of attribute", {
    args: (t) => ({ node: t.file("file"), name: bytesOf("other.x") }),
  }),
  fails("removexattr", "EPERM", "a file that is immutable", {
    args(t) {
      const node = attributed(t, "user.x");
      t.fs.setattr(node.ino, { flags: IMMUTABLE_FL });
      return { node, name: bytesOf("user.x") };
    },
  }),
  fails("removexattr", "EACCES", "a file that the user may not write", {
    as: "user",
    args: (t) => ({ node: attributed(t, "user.x"), name: bytesOf("user.x") }),
  }),
];

/** See the module. */
export const XATTR_CASES: readonly Case[] = [...FOUND, ...SET, ...REMOVED];
