/**
 * The trusted state of the original's images from one start to the next: on
 * the command line, and in a root file.
 */

import assert from "node:assert/strict";
import { withTempDir } from "../support/tools.ts";
import { type MadeDevice, make, PLAIN, VERIFIED_KINDS } from "./devices.ts";
import { nextfs, ok, startServer } from "./program.ts";

const IMAGES = VERIFIED_KINDS.filter(({ family }) => family === "image");
const VOLUMES = VERIFIED_KINDS.filter(({ family }) => family === "volume");

/** The flags that open `made`, with ROOT as a value in place of its file. */
function flagsWith(made: MadeDevice, root: string): string[] {
  return made.flags.map((flag) => flag.replace(`file=${made.path}.root`, root));
}

/** ROOT that a root file stands for. */
async function rootIn(path: string): Promise<string> {
  const { root, leaves } = JSON.parse(await Deno.readTextFile(path));
  return `${root}@${leaves}`;
}

/** Starts a server, makes a change, stops it; returns the ROOT it prints. */
async function changeOnce(args: string[], name: string): Promise<string> {
  const server = await startServer(args);
  await server.ok("mkdir", name);
  const { code, stdout } = await server.stop();
  assert.equal(code, 0);
  const root = /^Root: ([0-9a-f]{64}@[0-9]+)$/m.exec(stdout);
  assert(root, stdout);
  return root[1];
}

for (const kind of IMAGES) {
  Deno.test(`serve prints the root of the next start: ${kind.name}`, () =>
    withTempDir(async (dir) => {
      const made = await make(kind, dir, { size: "8M" });
      const first = await rootIn(`${made.path}.root`);
      const roots = [first];
      for (const name of ["/one", "/two", "/three"]) {
        const args = [...flagsWith(made, roots.at(-1)!), made.path];
        roots.push(await changeOnce(args, name));
      }
      assert.equal(new Set(roots).size, 4);
      const present = flagsWith(made, roots[3]);
      await ok(["verify", ...present, made.path]);
      await ok(["dump", ...present, made.path, `${dir}/plain`]);
      // The file was not named, and is still of the first root.
      assert.equal(await rootIn(`${made.path}.root`), first);

      const leaves = roots[3].split("@")[1];
      const wrong = roots[3].replace(/@.*/, `@${Number(leaves) - 1}`);
      for (const root of [roots[0], roots[2], wrong, `file=${first}`]) {
        const flags = flagsWith(made, root);
        const { code, stderr } = await nextfs(["serve", ...flags, made.path]);
        assert.equal(code, root.startsWith("file") ? 1 : 13, stderr);
        assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
      }
    }));

  Deno.test(`a root file goes before an older root: ${kind.name}`, () =>
    withTempDir(async (dir) => {
      const made = await make(kind, dir, { size: "8M" });
      const first = await rootIn(`${made.path}.root`);
      const args = [
        ...flagsWith(made, first),
        ...["--root-file", `${dir}/kept`],
        made.path,
      ];
      for (const name of ["/one", "/two"]) {
        const root = await changeOnce(args, name);
        assert.equal(await rootIn(`${dir}/kept`), root);
      }
      const { code, stderr } = await nextfs(["verify", ...args]);
      assert.equal(code, 0);
      assert.match(stderr, /kept holds another root than the command line/);
    }));
}

for (const kind of VOLUMES) {
  Deno.test(`no root is printed of what keeps its own: ${kind.name}`, () =>
    withTempDir(async (dir) => {
      const made = await make(kind, dir, { size: "8M" });
      const { stdout } = await (await startServer(made.args)).stop();
      assert.match(stdout, /^Listening on .*\n$/);
    }));
}

Deno.test("a root file without a tree is refused, for it protects nothing", () =>
  withTempDir(async (dir) => {
    const made = await make(PLAIN, dir, { size: "1M" });
    for (const command of ["serve", "verify", "dump"]) {
      const args = ["--root-file", `${dir}/root`, ...made.args];
      if (command === "dump") args.push(`${dir}/plain`);
      const { code, stderr } = await nextfs([command, ...args]);
      assert.equal(code, 2, stderr);
      assert.match(stderr, /--root-file is for images with a hash tree/);
    }
  }));

Deno.test("a tree over blocks of another size is told from damage", () =>
  withTempDir(async (dir) => {
    const [image, tree] = [`${dir}/x.img`, `${dir}/x.tree`];
    const root = `${dir}/x.root`;
    await ok(["makefs", "-b", "1024", "-s", "4M", image]);
    await ok(["makemerkle", "--root-file", root, image, tree]);
    const device = ["-b", `bdverity:${tree}::file=${root}`];
    await ok(["verify", ...device, image]);
    const { code, stderr } = await nextfs(["serve", ...device, image]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /make another tree by 'nextfs makemerkle -b 1024'/);
  }));
