import assert from "node:assert/strict";
import {
  type Credentials,
  Filesystem,
  FsError,
  GuardedFilesystem,
  Paths,
  ROOT_INODE,
} from "../fs/mod.ts";
import { formatted } from "../tests/support/images.ts";
import { Random } from "../tests/support/random.ts";
import { ExportedTree } from "./exported_tree.ts";

const SUPERUSER: Credentials = { uid: 0, gid: 0 };

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

/** A volume, all of it by path, and a session in its directory `/export`. */
interface Scene {
  readonly fs: Filesystem;
  readonly all: Paths;
  readonly tree: ExportedTree;
  readonly session: GuardedFilesystem;
  readonly paths: Paths<GuardedFilesystem>;
}

function scene(namesMax?: number): Scene {
  const fs = Filesystem.open(formatted({ blockSize: 1024, blockCount: 4096 }));
  const all = new Paths(fs);
  all.mkdirAll("/export/dir/sub");
  all.mkdirAll("/outside/deep");
  all.writeFile("/export/file", "inside");
  all.writeFile("/export/dir/file", "inside");
  all.writeFile("/outside/secret", "secret");
  all.writeFile("/secret", "secret");
  const root = all.resolve("/export");
  const tree = new ExportedTree(fs, { root, namesMax });
  const session = new GuardedFilesystem(fs, {
    credentials: SUPERUSER,
    confinement: tree,
  });
  const paths = new Paths(session, { root: session.root });
  return { fs, all, tree, session, paths };
}

/** Every call that takes an inode number, with `ino` for it. */
function everyCall(
  session: GuardedFilesystem,
  ino: number,
  inside: number,
): Record<string, () => unknown> {
  const { root } = session;
  const one = Uint8Array.of(1);
  return {
    access: () => session.checkAccess(ino, 4),
    getattr: () => session.getattr(ino),
    setattr: () => session.setattr(ino, { mode: 0o777 }),
    read: () => session.read(ino, 0, new Uint8Array(9)),
    write: () => session.write(ino, 0, one),
    readlink: () => session.readlink(ino),
    getxattr: () => session.getxattr(ino, "user.x"),
    setxattr: () => session.setxattr(ino, "user.x", one),
    listxattr: () => session.listxattr(ino),
    removexattr: () => session.removexattr(ino, "user.x"),
    lookup: () => session.lookup(ino, "secret"),
    "lookup .": () => session.lookup(ino, "."),
    "lookup ..": () => session.lookup(ino, ".."),
    readdir: () => session.readdir(ino, 0),
    create: () => session.create(ino, "new"),
    mkdir: () => session.mkdir(ino, "new"),
    mknod: () => session.mknod(ino, "new", { kind: 0o010000 }),
    symlink: () => session.symlink(ino, "new", "x"),
    link: () => session.link(ino, root, "stolen"),
    "link to": () => session.link(inside, ino, "given"),
    unlink: () => session.unlink(ino, "secret"),
    rmdir: () => session.rmdir(ino, "deep"),
    "rename from": () => session.rename(ino, "secret", root, "stolen"),
    "rename to": () => session.rename(root, "file", ino, "given"),
  };
}

Deno.test("no call reaches what is outside, whatever number is guessed", () => {
  const { fs, all, session, paths } = scene();
  const inside = paths.resolve("/file");
  const before = describe(all);
  for (const path of ["/", "/outside", "/outside/secret", "/secret"]) {
    const ino = all.resolve(path);
    for (
      const [what, call] of Object.entries(everyCall(session, ino, inside))
    ) {
      assert.equal(outcome(call), "ESTALE", `${what} of ${path}`);
    }
  }
  assert.equal(describe(all), before);
  const { inodes } = fs.statfs();
  for (let ino = 0; ino <= inodes + 1; ino++) {
    const isInside = session.root === ino || ino === inside ||
      ["/export/dir", "/export/dir/sub"].some((p) => all.resolve(p) === ino);
    const expected = isInside ? "done" : "ESTALE";
    assert.equal(outcome(() => session.getattr(ino)), expected, `${ino}`);
  }
});

/** Names, modes and links of the whole volume. */
function describe(all: Paths): string {
  const lines: string[] = [];
  const visit = (path: string): void => {
    const { mode, nlink, size } = all.lstat(path);
    lines.push(`${path} ${mode} ${nlink} ${size}`);
    if ((mode & 0o170000) !== 0o040000) return;
    for (const { name } of all.readDir(path)) {
      visit(`${path}/${new TextDecoder().decode(name)}`);
    }
  };
  visit("/");
  return lines.join("\n");
}

Deno.test("a file counts from when it is shown: looked up, listed, or made", () => {
  const { all, session, fs } = scene();
  const file = all.resolve("/export/file");
  assert.equal(outcome(() => session.getattr(file)), "ESTALE");
  session.lookup(session.root, "file");
  assert.equal(outcome(() => session.getattr(file)), "done");
  const dir = all.resolve("/export/dir");
  const listed = all.resolve("/export/dir/file");
  assert.equal(outcome(() => session.getattr(listed)), "ESTALE");
  session.readdir(dir, 0);
  assert.equal(outcome(() => session.getattr(listed)), "done");
  const made = [
    session.create(dir, "1"),
    session.symlink(dir, "2", "x"),
    session.mknod(dir, "3", { kind: 0o010000 }),
    session.mkdir(dir, "4"),
  ];
  for (const ino of made) session.getattr(ino);
  // Proofs are made anew when a name has gone.
  fs.unlink(dir, "1");
  for (const ino of made.slice(1)) session.getattr(ino);
  assert.equal(outcome(() => session.getattr(made[0])), "ESTALE");
});

Deno.test("names of a directory that may not be searched show no files", () => {
  const { fs, all, tree } = scene();
  const dir = all.resolve("/export/dir");
  fs.setattr(dir, { mode: 0o744 });
  const credentials = { uid: 1000, gid: 1000 };
  const session = new GuardedFilesystem(fs, { credentials, confinement: tree });
  assert.equal(session.readdir(dir, 0).length, 4);
  const file = all.resolve("/export/dir/file");
  assert.equal(outcome(() => session.getattr(file)), "ESTALE");
});

Deno.test("the root is its own parent", () => {
  const { all, session, paths } = scene();
  const { root } = session;
  assert.equal(session.lookup(root, ".."), root);
  assert.equal(paths.resolve("/../../dir/../.."), root);
  const entries = session.readdir(root, 0);
  const above = entries.find(({ name }) => name.length === 2)!;
  assert.equal(above.ino, root);
  const sub = all.resolve("/export/dir/sub");
  assert.equal(session.lookup(sub, ".."), all.resolve("/export/dir"));
});

Deno.test("links of every kind lead nowhere but inside", () => {
  const { all, session, paths } = scene();
  const rows: [string, string][] = [
    ["/secret", "ENOENT"],
    ["../secret", "ENOENT"],
    ["../../outside/secret", "ENOENT"],
    ["/file", "done"],
    ["../../../file", "done"],
    ["/dir/sub/../../../../outside/deep", "ENOENT"],
  ];
  for (const [i, [target, expected]] of rows.entries()) {
    all.symlink(target, `/export/dir/sub/by others ${i}`);
    paths.symlink(target, `/dir/sub/${i}`);
    for (const name of [`by others ${i}`, `${i}`]) {
      const follow = (): unknown => paths.stat(`/dir/sub/${name}`);
      assert.equal(outcome(follow), expected, target);
    }
  }
  // A hard link from outside is inside, and its other name is not.
  all.link("/outside/secret", "/export/shared");
  const shared = paths.resolve("/shared");
  assert.equal(outcome(() => session.getattr(shared)), "done");
  all.remove("/export/shared");
  assert.equal(outcome(() => session.getattr(shared)), "ESTALE");
  assert.equal(
    outcome(() => session.link(shared, session.root, "x")),
    "ESTALE",
  );
});

Deno.test("what others move out is gone, with all below it", () => {
  const { all, session, paths } = scene();
  const file = paths.resolve("/file");
  const dir = paths.resolve("/dir");
  const below = paths.resolve("/dir/file");
  const sub = paths.resolve("/dir/sub");
  all.rename("/export/file", "/outside/taken");
  all.rename("/export/dir", "/outside/dir");
  for (const ino of [file, dir, below, sub]) {
    const calls = everyCall(session, ino, session.root);
    for (const [what, call] of Object.entries(calls)) {
      assert.equal(outcome(call), "ESTALE", what);
    }
  }
  for (const path of ["/dir", "/file"]) {
    assert.equal(outcome(() => paths.stat(path)), "ENOENT");
  }
  const from = { from: sub };
  assert.equal(outcome(() => paths.resolve("../file", from)), "ESTALE");
  // What comes back counts again once it was shown again.
  all.rename("/outside/dir", "/export/again");
  assert.equal(outcome(() => session.getattr(sub)), "done");
  assert.equal(outcome(() => session.getattr(below)), "ESTALE");
  assert.equal(paths.resolve("/again/file"), below);
});

Deno.test("what the session moves itself stays reachable", () => {
  const { session, paths } = scene();
  const file = paths.resolve("/file");
  const below = paths.resolve("/dir/file");
  paths.rename("/file", "/dir/sub/moved");
  paths.rename("/dir", "/renamed");
  for (const ino of [file, below]) session.getattr(ino);
  paths.link("/renamed/sub/moved", "/second");
  paths.remove("/renamed/sub/moved");
  assert.equal(session.getattr(file).nlink, 1);
});

Deno.test("a file stays reachable while one name that was shown is inside", () => {
  const { all, session, paths } = scene();
  const ino = paths.resolve("/file");
  for (let i = 0; i < 40; i++) {
    all.link("/export/file", `/export/${i}`);
    paths.resolve(`/${i}`);
  }
  all.rename("/export/file", "/outside/file");
  for (let i = 0; i < 39; i++) all.rename(`/export/${i}`, `/outside/${i}`);
  session.getattr(ino);
  all.rename("/export/39", "/outside/39");
  assert.equal(outcome(() => session.getattr(ino)), "ESTALE");
});

Deno.test("a number that gets a new owner counts by where that one is", () => {
  const { all, session, paths, fs } = scene();
  const ino = paths.resolve("/file");
  all.remove("/export/file");
  const reused = fs.create(all.resolve("/outside"), "reused");
  assert.equal(reused, ino, "the allocator takes the first free inode");
  assert.equal(outcome(() => session.getattr(ino)), "ESTALE");
});

Deno.test("once the root is removed nothing is inside, whatever has its number", () => {
  const { all, fs, session, tree } = scene();
  all.removeAll("/export");
  assert.equal(outcome(() => session.getattr(session.root)), "ESTALE");
  let made = 0;
  for (let i = 0; i < 99 && made !== tree.root; i++) {
    made = fs.mkdir(ROOT_INODE, `${i}`);
  }
  assert.equal(made, tree.root);
  for (const [what, call] of Object.entries(everyCall(session, made, made))) {
    assert.equal(outcome(call), "ESTALE", what);
  }
  const paths = new Paths(session, { root: session.root });
  assert.equal(outcome(() => paths.resolve("/x")), "ESTALE");
  assert.equal(outcome(() => paths.stat("/")), "ESTALE");
});

Deno.test("the root may move, and takes the tree along", () => {
  const { all, session, paths } = scene();
  const below = paths.resolve("/dir/file");
  all.rename("/export", "/outside/deep/moved");
  session.getattr(below);
  assert.equal(outcome(() => paths.stat("/dir/file")), "done");
  assert.equal(outcome(() => paths.stat("/../secret")), "ENOENT");
  assert.equal(session.lookup(session.root, ".."), session.root);
});

Deno.test("an open file can be used without a name, but gets none", () => {
  const { all, session, paths } = scene();
  const file = paths.resolve("/file");
  session.retain(file);
  session.retain(file);
  all.rename("/export/file", "/outside/taken");
  assert.equal(outcome(() => session.getattr(file)), "done");
  assert.equal(outcome(() => session.setattr(file, { size: 1 })), "done");
  assert.equal(
    outcome(() => session.link(file, session.root, "back")),
    "ESTALE",
  );
  session.release(file);
  assert.equal(outcome(() => session.getattr(file)), "done");
  session.release(file);
  assert.equal(outcome(() => session.getattr(file)), "ESTALE");
});

Deno.test("an open directory is no way to what was moved out", () => {
  const { all, session, paths } = scene();
  const dir = paths.resolve("/dir");
  const sub = paths.resolve("/dir/sub");
  session.retain(dir);
  session.retain(sub);
  all.remove("/export/dir/sub");
  assert.equal(outcome(() => session.getattr(sub)), "done");
  assert.equal(outcome(() => session.lookup(sub, "..")), "ENOENT");
  assert.deepEqual(session.readdir(sub, 0), []);
  all.rename("/export/dir", "/outside/dir");
  assert.equal(outcome(() => session.getattr(dir)), "ESTALE");
  assert.equal(outcome(() => session.lookup(dir, "file")), "ESTALE");
  session.release(dir);
  session.release(sub);
});

Deno.test("what is remembered is bounded; the files shown last stay", () => {
  const { session, tree } = scene(64);
  const made: number[] = [];
  for (let i = 0; i < 300; i++) {
    made.push(session.create(session.root, `${i}`));
    assert.ok(tree.names <= 64);
  }
  session.unlink(session.root, "0");
  const reached = made.filter((ino) =>
    outcome(() => session.getattr(ino)) === "done"
  );
  assert.ok(reached.length >= 56 && reached.length <= 64);
  assert.deepEqual(reached, made.slice(-reached.length));
  // One that was forgotten counts again once it is looked up.
  assert.equal(session.lookup(session.root, "1"), made[1]);
  session.getattr(made[1]);
});

Deno.test("directories deeper than any path are out of reach, and cost little", () => {
  const device = formatted({
    blockSize: 1024,
    blockCount: 8192,
    inodeCount: 4096,
  });
  const deep = Filesystem.open(device);
  const root = deep.mkdir(ROOT_INODE, "export");
  const chain = [root];
  for (let i = 0; i < 2100; i++) chain.push(deep.mkdir(chain[i], "d"));
  const tree = new ExportedTree(deep, { root });
  assert.equal(outcome(() => tree.admit(chain[2048])), "done");
  const fresh = new ExportedTree(deep, { root });
  assert.equal(outcome(() => fresh.admit(chain[2049])), "ESTALE");
});

Deno.test("a volume that is exported as a whole needs no tree", () => {
  const { fs, all } = scene();
  assert.equal(ExportedTree.of(fs, ROOT_INODE), null);
  const root = all.resolve("/export");
  assert.equal(ExportedTree.of(fs, root)?.root, root);
  const file = all.resolve("/secret");
  assert.equal(outcome(() => ExportedTree.of(fs, file)), "ENOTDIR");
});

Deno.test("at no time does a random walk of moves reach anything outside", () => {
  for (let seed = 1; seed <= 20; seed++) walk(new Random(seed));
});

/** Others move files in and out while the session uses what it was shown. */
function walk(random: Random): void {
  const { fs, all, session } = scene(32);
  const dirs = ["/", "/export", "/export/dir", "/export/dir/sub", "/outside"]
    .map((path) => all.resolve(path));
  const shown = new Set<number>();
  const name = (): string => `n${random.below(4)}`;
  for (let step = 0; step < 300; step++) {
    const [a, b] = [random.pick(dirs), random.pick(dirs)];
    outcome(() => random.chance(0.3) && fs.create(a, name()));
    outcome(() => random.chance(0.3) && fs.rename(a, name(), b, name()));
    outcome(() =>
      random.chance(0.2) && fs.link(fs.lookup(a, name()), b, name())
    );
    outcome(() => random.chance(0.1) && fs.rename(a, "sub", b, "sub"));
    outcome(() => random.chance(0.1) && fs.rename(a, "dir", b, "dir"));
    outcome(() => random.chance(0.2) && fs.unlink(a, name()));
    outcome(() => shown.add(session.lookup(random.pick(dirs), name())));
    const inside = reachable(fs, session.root);
    for (const ino of [...shown, ...dirs]) {
      const isAdmitted = outcome(() => session.getattr(ino)) === "done";
      assert.ok(!isAdmitted || inside.has(ino), `seed ${random.seed}: ${ino}`);
      const isDirectory = dirs.includes(ino);
      if (isDirectory) assert.equal(isAdmitted, inside.has(ino));
    }
  }
}

/** All that a walk down from `root` finds. */
function reachable(fs: Filesystem, root: number): Set<number> {
  const found = new Set([root]);
  const visit = (dir: number): void => {
    for (const { name, ino, kind } of fs.readdir(dir, 0)) {
      if (name[0] === 0x2e) continue;
      found.add(ino);
      if (kind === 0o040000) visit(ino);
    }
  };
  visit(root);
  return found;
}
