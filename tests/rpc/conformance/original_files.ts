/**
 * Cases: the original's operations on files.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type camelcase -- the types of the table give the first, the names of the original the second

import assert from "node:assert/strict";
import { INODE } from "../../../fs/inode.ts";
import {
  type Arguments,
  O_APPEND,
  O_CREAT,
  O_DIRECTORY,
  O_DSYNC,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../../../rpc/mod.ts";
import { type Case, type Condition, fails, succeeds } from "./case.ts";
import { exhaust } from "./files.ts";
import {
  bytesOf,
  IMMUTABLE_FL,
  isSame,
  LONG_NAME,
  textOf,
  type Trial,
} from "./trial.ts";

const TEXT = "0123456789";
/** 32,000 as an inode's link count: no more names. */
const LINKS_FULL = [32_000 & 255, 32_000 >> 8];
const BEYOND = 2 ** 52;

/** The path of a name in the case's directory. */
export const at = (t: Trial, name: string): Uint8Array =>
  bytesOf(`${t.path}/${name}`);

/** A file, and a directory with a file in it. */
export function scene(t: Trial): void {
  t.file("file", { data: TEXT });
  t.file("other", { data: "other" });
  t.file("inside", { in: t.directory("below") });
  t.symlink("link", "file");
  t.symlink("dangling", "made by way of a link");
  t.symlink("loop", "loop");
}

/** What takes one path, and what it takes besides. */
type PathOperation =
  | "file_remove"
  | "file_link"
  | "file_rename"
  | "file_open"
  | "file_open2"
  | "dir_rm"
  | "dir_mv"
  | "dir_mk"
  | "dir_mkdir"
  | "dir_open"
  | "dir_list"
  | "path_symlink"
  | "path_mknod"
  | "path_readlink"
  | "raw_inode"
  | "mode_set"
  | "mode_get"
  | "owner_set"
  | "owner_get"
  | "atime_set"
  | "atime_get"
  | "mtime_set"
  | "mtime_get"
  | "ctime_set"
  | "ctime_get";

const TIME = { time: { sec: 5, nsec: 6 } };

const REST: {
  [K in PathOperation]: (t: Trial) => Omit<Arguments<K>, "path">;
} = {
  file_remove: () => ({}),
  file_link: (t) => ({ newPath: at(t, "new") }),
  file_rename: (t) => ({ newPath: at(t, "new") }),
  file_open: () => ({ mode: "r" }),
  file_open2: () => ({ flags: O_RDONLY }),
  dir_rm: () => ({}),
  dir_mv: (t) => ({ newPath: at(t, "new") }),
  dir_mk: () => ({}),
  dir_mkdir: () => ({ mode: 0o755 }),
  dir_open: () => ({}),
  dir_list: () => ({}),
  path_symlink: () => ({ target: bytesOf("target") }),
  path_mknod: () => ({ mode: 0o10644, rdev: { major: 0, minor: 0 } }),
  path_readlink: () => ({}),
  raw_inode: () => ({}),
  mode_set: () => ({ mode: 0o600 }),
  mode_get: () => ({}),
  owner_set: () => ({ uid: 5, gid: 6 }),
  owner_get: () => ({}),
  atime_set: () => TIME,
  atime_get: () => ({}),
  mtime_set: () => TIME,
  mtime_get: () => ({}),
  ctime_set: () => TIME,
  ctime_get: () => ({}),
};

/** Every operation that takes a path. */
export const PATH_OPERATIONS = Object.keys(REST) as PathOperation[];

/** A request about `name`, in the situation that `prepare` makes. */
export function about<K extends PathOperation>(
  operation: K,
  name: string,
  prepare: (t: Trial) => void = scene,
): (t: Trial) => Arguments<K> {
  return (t) => {
    prepare(t);
    const path = name === "" ? bytesOf("") : at(t, name);
    return { ...REST[operation](t), path } as unknown as Arguments<K>;
  };
}

/** A case of each operation that takes a path. */
export function everyPath(
  gives: Parameters<typeof fails>[1],
  what: string,
  name: string,
  options: Pick<Case, "as"> & { prepare?: (t: Trial) => void } = {},
): Case[] {
  const { prepare, as } = options;
  return PATH_OPERATIONS.map((operation) =>
    fails(operation, gives, what, {
      ...{ as, args: about(operation, name, prepare) },
    })
  );
}

/** Ways that lead nowhere. */
const WALKED: Case[] = [
  ...everyPath("ENOENT", "an empty path", ""),
  ...everyPath("ENOENT", "a directory that is not there", "no/file"),
  ...everyPath("ENOTDIR", "a file on the way", "file/x"),
  ...everyPath("ELOOP", "a link to itself on the way", "loop/x"),
  ...everyPath("ENAMETOOLONG", "a name of 256 bytes", `${"n".repeat(256)}`),
  ...everyPath("EACCES", "a directory that may not be searched", "closed/x", {
    as: "user",
    prepare(t) {
      t.file("x", { in: t.directory("closed", { mode: 0o700 }) });
    },
  }),
];

/** A case of each operation with two paths. */
function everyPair(
  gives: Parameters<typeof fails>[1],
  what: string,
  args: (
    t: Trial,
    name: string,
  ) => Arguments<"file_link"> | Promise<Arguments<"file_link">>,
  options: Pick<Case, "alone" | "when" | "as"> = {},
): Case[] {
  return (["file_link", "file_rename", "dir_mv"] as const).map((operation) =>
    fails(operation, gives, what, {
      ...options,
      args(t) {
        scene(t);
        return args(t, operation === "dir_mv" ? "below" : "file");
      },
    })
  );
}

const PAIRED: Case[] = [
  ...everyPair("EXDEV", "over different mounts", async (t, name) => {
    const mountPoint = at(t, "mounted");
    await t.caller.succeed("mount", { device: "nextfs", mountPoint });
    const newPath = at(t, `mounted${t.path}/new`);
    return { path: at(t, name), newPath };
  }, { alone: true }),
  ...everyPair("ENOENT", "to a directory that is not there", (t, name) => ({
    ...{ path: at(t, name), newPath: at(t, "no/new") },
  })),
  ...everyPair(
    "ENOSPC",
    "to a directory that would need a block",
    (t, name) => {
      t.packed();
      return { path: at(t, name), newPath: at(t, `packed/${LONG_NAME}`) };
    },
    { when: "full" },
  ),
  ...everyPair(
    "EACCES",
    "to a directory that may not be written",
    (t, name) => {
      return { path: at(t, name), newPath: at(t, "new") };
    },
    { as: "user" },
  ),
];

const moving = (path: string, newPath: string) => (t: Trial) => {
  scene(t);
  return { path: at(t, path), newPath: at(t, newPath) };
};

const NAMED: Case[] = [
  succeeds("file_remove", "a file", {
    args: about("file_remove", "file"),
    check: (t) => assert.equal(t.find("file"), null),
  }),
  succeeds("file_remove", "a link, and not what it leads to", {
    args: about("file_remove", "link"),
    check(t) {
      assert.deepEqual([t.find("link"), t.text(t.get("file"))], [null, TEXT]);
    },
  }),
  fails("file_remove", "EISDIR", "a directory", {
    args: about("file_remove", "below"),
  }),
  fails("file_remove", "EISDIR", "the directory .", {
    args: about("file_remove", "."),
  }),
  fails("file_remove", "ENOTDIR", "a file with a slash behind it", {
    args: about("file_remove", "file/"),
  }),
  fails("file_remove", "EPERM", "a file that is immutable", {
    args: about("file_remove", "file", (t) => {
      scene(t);
      t.fs.setattr(t.get("file").ino, { flags: IMMUTABLE_FL });
    }),
  }),
  fails("file_remove", "EACCES", "in a directory that may not be written", {
    ...{ as: "user", args: about("file_remove", "file") },
  }),
  succeeds("file_link", "a file", {
    args: moving("file", "new"),
    check: (t) => isSame(t.get("new"), t.get("file")),
  }),
  succeeds("file_link", "a link itself", {
    args: moving("link", "new"),
    check: (t) => isSame(t.get("new"), t.get("link")),
  }),
  fails("file_link", "EEXIST", "a name that is taken", {
    args: moving("file", "other"),
  }),
  fails("file_link", "EPERM", "a directory", { args: moving("below", "new") }),
  fails("file_link", "ENOENT", "a name with a slash behind it", {
    args: moving("file", "new/"),
  }),
  fails("file_link", "EMLINK", "a file with 32,000 names", {
    when: "damaged",
    args(t) {
      const args = moving("file", "new")(t);
      t.harm(t.get("file"), INODE.i_links_count.offset, ...LINKS_FULL);
      return args;
    },
  }),
  succeeds("file_rename", "to a new name", {
    args: moving("file", "below/new"),
    check(t) {
      assert.equal(t.find("file"), null);
      assert.equal(t.text(t.get("new", t.get("below"))), TEXT);
    },
  }),
  succeeds("file_rename", "over another file", {
    args: moving("file", "other"),
    check: (t) => assert.equal(t.text(t.get("other")), TEXT),
  }),
  fails("file_rename", "EISDIR", "a directory", {
    args: moving("below", "new"),
  }),
  fails("file_rename", "EISDIR", "over a directory", {
    args: moving("file", "below"),
  }),
  fails("file_rename", "ENOTDIR", "to a name with a slash behind it", {
    args: moving("file", "new/"),
  }),
  fails("file_rename", "EPERM", "a file that is immutable", {
    args(t) {
      const args = moving("file", "new")(t);
      t.fs.setattr(t.get("file").ino, { flags: IMMUTABLE_FL });
      return args;
    },
  }),
];

/** What a mode of fopen does with a file: may be read, its text at first. */
const MODES = [
  ["r", true, TEXT],
  ["rb", true, TEXT],
  ["r+", true, TEXT],
  ["r+b", true, TEXT],
  ["w", false, ""],
  ["w+", true, ""],
  ["a", false, TEXT],
  ["ab+", true, TEXT],
] as const;

const opening =
  (name: string, flags: number) => (t: Trial): Arguments<"file_open2"> => {
    scene(t);
    return { path: at(t, name), flags };
  };

const OPENED: Case[] = [
  ...MODES.map(([mode, readable, text]) =>
    succeeds("file_open", `with mode ${mode}`, {
      args(t) {
        scene(t);
        return { path: at(t, "link"), mode };
      },
      async check(t, { descriptor }) {
        t.opened(descriptor);
        assert.equal(t.text(t.get("file")), text);
        const read = await t.caller.call("file_read", {
          ...{ descriptor, length: 4 },
        });
        assert.equal(read.outcome, readable ? "ok" : "EBADF");
        const written = await t.caller.call("file_write", {
          ...{ descriptor, data: bytesOf("XY") },
        });
        assert.equal(
          written.outcome,
          mode[0] === "r" && !mode.includes("+") ? "EBADF" : "ok",
        );
        if (mode.startsWith("a")) {
          assert.equal(t.text(t.get("file")), `${TEXT}XY`);
        }
      },
    })
  ),
  ...["w", "a", "w+", "a+"].map((mode) =>
    succeeds("file_open", `with mode ${mode}, which makes a file`, {
      args: (t) => ({ path: at(t, "new"), mode }),
      check(t, { descriptor }) {
        t.opened(descriptor);
        assert.equal(t.stat(t.get("new")).mode, 0o100666);
      },
    })
  ),
  ...["", "x", "rw", "r++", "bw"].map((mode) =>
    fails("file_open", "EINVAL", `with mode "${mode}"`, {
      args(t) {
        scene(t);
        return { path: at(t, "file"), mode };
      },
    })
  ),
  ...(["file_open", "file_open2"] as const).flatMap((operation) => {
    const changing = (name: string) => (t: Trial) => ({
      ...opening(name, O_WRONLY | O_CREAT | O_TRUNC)(t),
      mode: "w",
    });
    return [
      fails(operation, "ENOENT", "no such file", {
        args: about(operation, "no"),
      }),
      fails(operation, "EISDIR", "a directory, for writing", {
        args: changing("below"),
      }),
      fails(operation, "ELOOP", "a link to itself", {
        args: about(operation, "loop"),
      }),
      fails(operation, "EINVAL", "a named pipe", {
        args: about(operation, "pipe", (t) => t.fifo("pipe")),
      }),
      fails(operation, "EMFILE", "more files than may be open", {
        ...{ as: "strict", alone: true },
        async args(t) {
          await exhaust(t);
          return about(operation, "file")(t);
        },
      }),
      fails(operation, "EROFS", "to be made, by one who may only look", {
        ...{ as: "reader", args: changing("new") },
      }),
      fails(operation, "EROFS", "to be made, on a host that has failed", {
        ...{ when: "refusing", args: changing("new") },
      }),
      fails(operation, "EACCES", "to be written, by who may not", {
        ...{ as: "user", args: changing("file") },
      }),
      fails(operation, "EPERM", "to be made in an immutable directory", {
        args(t) {
          const frozen = t.directory("frozen");
          t.fs.setattr(frozen.ino, { flags: IMMUTABLE_FL });
          return changing("frozen/new")(t);
        },
      }),
      fails(operation, "ENOSPC", "to be made, and no free inode", {
        ...{ when: "crowded", args: changing("new") },
      }),
      fails(operation, "ENOSPC", "to be made in a full directory", {
        when: "full",
        args(t) {
          t.packed();
          return changing(`packed/${LONG_NAME}`)(t);
        },
      }),
    ] as Case[];
  }),
  ...[O_RDONLY, O_RDWR, O_WRONLY | O_APPEND, O_RDWR | O_CREAT].map((flags) =>
    succeeds("file_open2", `a file with flags 0o${flags.toString(8)}`, {
      ...{ quiet: true, args: opening("file", flags) },
      check: (t, { descriptor }) => t.opened(descriptor),
    })
  ),
  succeeds("file_open2", "makes what a link leads to", {
    args: opening("dangling", O_WRONLY | O_CREAT),
    check(t, { descriptor }) {
      t.opened(descriptor);
      assert.equal(t.stat(t.get("made by way of a link")).size, 0);
    },
  }),
  succeeds("file_open2", "a new file, exclusively", {
    args: opening("new", O_RDWR | O_CREAT | O_EXCL),
    check(t, { descriptor }) {
      t.opened(descriptor);
      assert.equal(t.text(t.get("new")), "");
    },
  }),
  succeeds("file_open2", "a directory with O_DIRECTORY", {
    ...{ quiet: true, args: opening("below", O_DIRECTORY) },
    check: (t, { descriptor }) => t.opened(descriptor),
  }),
  fails("file_open2", "EEXIST", "a file that exists, exclusively", {
    args: opening("file", O_RDWR | O_CREAT | O_EXCL),
  }),
  fails("file_open2", "EEXIST", "a link that leads nowhere, exclusively", {
    args: opening("dangling", O_RDWR | O_CREAT | O_EXCL),
  }),
  fails("file_open2", "ELOOP", "a link with O_NOFOLLOW", {
    args: opening("link", O_NOFOLLOW),
  }),
  fails("file_open2", "ENOTDIR", "a file with O_DIRECTORY", {
    args: opening("file", O_DIRECTORY),
  }),
  fails("file_open2", "EINVAL", "O_EXCL without O_CREAT", {
    args: opening("file", O_EXCL),
  }),
  fails("file_open2", "EINVAL", "an unknown flag", {
    args: opening("file", 0o100000000),
  }),
];

/** Opens a file by its path, until the case ends. */
export async function openPath(
  t: Trial,
  name: string,
  flags = O_RDWR,
): Promise<number> {
  const { descriptor } = await t.caller.succeed("file_open2", {
    ...{ path: at(t, name), flags },
  });
  t.opened(descriptor);
  return descriptor;
}

const opened = (flags = O_RDWR) => async (t: Trial) => {
  scene(t);
  return { descriptor: await openPath(t, "file", flags) };
};

/** Moves the position of an open file. */
async function seek(
  t: Trial,
  { descriptor }: { descriptor: number },
  offset: number,
): Promise<void> {
  await t.caller.succeed("file_seek", { descriptor, offset, origin: 0 });
}

const CONTENTS: Case[] = [
  succeeds("file_truncate", "to less", {
    args: async (t) => ({ ...await opened()(t), size: 4 }),
    check: (t) => assert.equal(t.text(t.get("file")), "0123"),
  }),
  succeeds("file_truncate", "to more", {
    args: async (t) => ({ ...await opened()(t), size: 12 }),
    check: (t) => assert.equal(t.text(t.get("file")), `${TEXT}\0\0`),
  }),
  succeeds("file_read", "at the position, which moves", {
    quiet: true,
    async args(t) {
      const file = await opened()(t);
      await seek(t, file, 3);
      return { ...file, length: 4 };
    },
    async check(t, { data }, { descriptor }) {
      assert.equal(textOf(data), "3456");
      const { position } = await t.caller.succeed("file_tell", { descriptor });
      assert.equal(position, 7);
    },
  }),
  succeeds("file_read", "behind the end", {
    quiet: true,
    async args(t) {
      const file = await opened()(t);
      await seek(t, file, 300);
      return { ...file, length: 4 };
    },
    check: (_, { data }) => assert.equal(data.length, 0),
  }),
  succeeds("file_write", "at the position, which moves", {
    async args(t) {
      const file = await opened()(t);
      await seek(t, file, 8);
      return { ...file, data: bytesOf("new") };
    },
    async check(t, { count }, { descriptor }) {
      assert.equal(count, 3);
      assert.equal(t.text(t.get("file")), "01234567new");
      const { position } = await t.caller.succeed("file_tell", { descriptor });
      assert.equal(position, 11);
    },
  }),
  succeeds("file_write", "to the end, with O_APPEND", {
    args: async (t) => ({
      ...{ ...await opened(O_WRONLY | O_APPEND)(t), data: bytesOf("new") },
    }),
    check: (t) => assert.equal(t.text(t.get("file")), `${TEXT}new`),
  }),
  ...([[3, 0, 3], [-2, 1, 2], [-2, 2, 8], [50, 2, 60]] as const).map(
    ([offset, origin, expected]) =>
      succeeds("file_seek", `by ${offset} from ${origin}`, {
        quiet: true,
        async args(t) {
          const file = await opened()(t);
          await seek(t, file, 4);
          return { ...file, offset, origin };
        },
        check: (_, { position }) => assert.equal(position, expected),
      }),
  ),
  ...([[-1, 0], [-11, 2]] as const).map(([offset, origin]) =>
    fails("file_seek", "EINVAL", `by ${offset} from ${origin}`, {
      args: async (t) => ({ ...await opened()(t), offset, origin }),
    })
  ),
  succeeds("file_size", "after it was written to", {
    quiet: true,
    async args(t) {
      const file = await opened(O_WRONLY | O_APPEND)(t);
      await t.caller.succeed("file_write", { ...file, data: bytesOf("abc") });
      return file;
    },
    check: (_, { size }) => assert.equal(size, 13),
  }),
  succeeds("file_close", "a file, whose number never comes back", {
    ...{ quiet: true, args: opened() },
    async check(t, _, { descriptor }) {
      const again = await t.caller.call("file_close", { descriptor });
      assert.equal(again.outcome, "EBADF");
      assert.ok(await openPath(t, "file") > descriptor);
    },
  }),
];

/** A case of each operation on the contents of what is open. */
const REFUSED: Case[] = [
  ...(["file_truncate", "file_write"] as const).flatMap((operation) => {
    const args = (flags: number) => async (t: Trial) => ({
      ...{ ...await opened(flags)(t), size: 20, data: bytesOf("new") },
    });
    return [
      fails(operation, "EBADF", "what is open for reading only", {
        args: args(O_RDONLY),
      }),
      fails(operation, "EPERM", "a file that has become immutable", {
        async args(t) {
          const all = await args(O_RDWR)(t);
          t.fs.setattr(t.get("file").ino, { flags: IMMUTABLE_FL });
          return all;
        },
      }),
    ];
  }),
  fails("file_truncate", "EFBIG", "beyond the format's limit", {
    args: async (t) => ({ ...await opened()(t), size: BEYOND }),
  }),
  fails("file_write", "EFBIG", "beyond the format's limit", {
    async args(t) {
      const file = await opened()(t);
      await seek(t, file, BEYOND);
      return { ...file, data: bytesOf("new") };
    },
  }),
  fails("file_write", "ENOSPC", "a volume without a free block", {
    when: "full",
    async args(t) {
      const file = await opened()(t);
      await seek(t, file, 5000);
      return { ...file, data: bytesOf("new") };
    },
  }),
  fails("file_read", "EBADF", "what is open for writing only", {
    args: async (t) => ({ ...await opened(O_WRONLY)(t), length: 4 }),
  }),
  ...(["file_read", "file_seek", "file_tell", "file_size"] as const).map(
    (operation) =>
      fails(operation, "EISDIR", "a directory", {
        async args(t) {
          scene(t);
          const descriptor = await openPath(t, "below", O_RDONLY);
          return { descriptor, length: 4, offset: 0, origin: 0 };
        },
      }),
  ),
];

const HOST_ERRORS = ["EIO", "ENOSPC", "EROFS"] as const;

/** Changes that are to be durable, and cannot be. */
const UNSTORED: Case[] = HOST_ERRORS.flatMap((code) => [
  fails("file_write", code, "a host that cannot store it", {
    ...{ changes: true, when: `unflushable: ${code}` as Condition },
    args: async (t) => ({
      ...{ ...await opened(O_RDWR | O_DSYNC)(t), data: bytesOf("new") },
    }),
  }),
]);

/** See the module. */
export const ORIGINAL_FILE_CASES: readonly Case[] = [
  ...[...UNSTORED, ...WALKED, ...PAIRED, ...NAMED, ...OPENED],
  ...[...CONTENTS, ...REFUSED],
];
