import assert from "node:assert/strict";
import { formatted } from "../tests/support/images.ts";
import { Filesystem, FsError, Paths, ROOT_INODE } from "./mod.ts";

function outcome(call: () => unknown): string {
  try {
    call();
    return "done";
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
}

/** A small tree: a file, a directory, and links to each. */
function sample(): Paths {
  const device = formatted({ blockSize: 4096, blockCount: 1024 });
  const paths = new Paths(Filesystem.open(device));
  paths.writeFile("/file", "f");
  paths.mkdirAll("/dir/sub");
  paths.symlink("dir", "/to dir");
  paths.symlink("file", "/to file");
  return paths;
}

Deno.test("a slash behind a path asks for a directory, as on Linux", () => {
  const calls: [string, (paths: Paths) => unknown, string][] = [
    ["stat file/", (p) => p.stat("/file/"), "ENOTDIR"],
    ["stat dir/", (p) => p.stat("/dir/"), "done"],
    ["lstat link/", (p) => p.lstat("/to dir/"), "done"],
    ["remove file/", (p) => p.remove("/file/"), "ENOTDIR"],
    ["remove link/", (p) => p.remove("/to dir/"), "ENOTDIR"],
    ["removeAll link/", (p) => p.removeAll("/to dir/"), "ENOTDIR"],
    ["remove dir/", (p) => p.remove("/dir/sub/"), "done"],
    ["rename file/", (p) => p.rename("/file/", "/x"), "ENOTDIR"],
    ["rename file to x/", (p) => p.rename("/file", "/x/"), "ENOTDIR"],
    ["rename dir to x/", (p) => p.rename("/dir/", "/x/"), "done"],
    ["write x/", (p) => p.writeFile("/x/", ""), "EISDIR"],
    ["mkdir x/", (p) => p.mkdir("/x/"), "done"],
    ["resolve //dir///sub//", (p) => p.resolve("//dir///sub//"), "done"],
    ["resolve dir/../file", (p) => p.resolve("/dir/../file"), "done"],
    ["resolve file/..", (p) => p.resolve("/file/.."), "ENOTDIR"],
    ["remove /", (p) => p.remove("/"), "EINVAL"],
    ["remove dir/.", (p) => p.remove("/dir/."), "EINVAL"],
  ];
  for (const [what, call, expected] of calls) {
    assert.equal(outcome(() => call(sample())), expected, what);
  }
});

Deno.test("removeAll() removes a link, not what it leads to", () => {
  const paths = sample();
  paths.removeAll("/to dir");
  assert.equal(outcome(() => paths.lstat("/to dir")), "ENOENT");
  assert.equal(outcome(() => paths.stat("/dir/sub")), "done");
  paths.removeAll("/dir");
  assert.equal(outcome(() => paths.stat("/dir")), "ENOENT");
});

Deno.test("one path cannot ask for endless look-ups", () => {
  const paths = sample();
  const { fs } = paths;
  // Each link goes in place for a long time, and then to the next.
  for (let i = 0; i < 30; i++) {
    fs.symlink(ROOT_INODE, `l${i}`, `${"./".repeat(2000)}l${i + 1}`);
  }
  fs.create(ROOT_INODE, "l30");
  const before = fs.cacheStatistics.hits;
  assert.equal(outcome(() => paths.resolve("/l0")), "ELOOP");
  assert.ok(fs.cacheStatistics.hits - before < 500_000);
  assert.equal(outcome(() => paths.resolve("/l29")), "done");
});

Deno.test("paths with a root of their own never leave it", () => {
  const { fs } = sample();
  const outside = new Paths(fs);
  outside.mkdirAll("/jail/a/b");
  outside.writeFile("/jail/inside", "i");
  outside.writeFile("/jail/a/deep", "d");
  outside.writeFile("/etc", "o");
  const root = outside.resolve("/jail");
  for (
    const [target, path] of [
      ["/file", "/jail/absolute out"],
      ["/inside", "/jail/absolute in"],
      ["../file", "/jail/up"],
      ["../../../../inside", "/jail/a/b/far up"],
      ["/..", "/jail/root"],
      ["a/b/../../../../inside", "/jail/about"],
    ]
  ) {
    outside.symlink(target, path);
  }
  const jail = new Paths(fs, { root });
  const inside = outside.resolve("/jail/inside");
  const rows: [string, number | string][] = [
    ["/", root],
    ["/..", root],
    ["../..", root],
    ["/../../inside", inside],
    ["/a/../../inside", inside],
    ["/file", "ENOENT"],
    ["/../file", "ENOENT"],
    ["/a/b/../../../file", "ENOENT"],
    ["/absolute out", "ENOENT"],
    ["/absolute in", inside],
    ["/up", "ENOENT"],
    ["/a/b/far up", inside],
    ["/root", root],
    ["/root/inside", inside],
    ["/about", inside],
    ["/jail/inside", "ENOENT"],
  ];
  for (const [path, expected] of rows) {
    let found: number | string = 0;
    const code = outcome(() => found = jail.resolve(path));
    assert.equal(code === "done" ? found : code, expected, path);
  }
  const from = outside.resolve("/jail/a/b");
  assert.equal(jail.resolve("../../../inside", { from }), inside);
  assert.equal(jail.resolveParent("/../new").dir, root);
  assert.equal(jail.resolveParent("new").dir, root);
  jail.mkdirAll("/../../made/here");
  assert.equal(outcome(() => outside.stat("/jail/made/here")), "done");
  assert.equal(outcome(() => jail.rename("/inside", "/../moved")), "done");
  assert.equal(outcome(() => outside.stat("/jail/moved")), "done");
});
