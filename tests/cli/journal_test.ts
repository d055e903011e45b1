/**
 * Journals of images on the command line: what survives a kill, and what is
 * refused while it is not in the image.
 */

import assert from "node:assert/strict";
import { type Job, original } from "../support/original.ts";
import { testWith, withTempDir } from "../support/tools.ts";
import { DEVICE_KINDS, type MadeDevice, make, PLAIN } from "./devices.ts";
import { nextfs, ok, startServer } from "./program.ts";

const IMAGES = DEVICE_KINDS.filter(({ family }) => family === "image");
const ON = "--journal=on";
/** No commit that nobody asks for. */
const NEVER = ["--commit-interval", "3600"];

/** Runs a command that must fail with `code`; returns what it says. */
async function fails(args: string[], code: number): Promise<string> {
  const run = await nextfs(args);
  assert.equal(run.code, code, run.stderr);
  assert.equal(run.stderr.trimEnd().split("\n").length, 1, run.stderr);
  return run.stderr;
}

/** Serves, makes durable directories, and kills the server. */
async function killed(args: string[], ...names: string[]): Promise<void> {
  const server = await startServer([ON, ...NEVER, ...args]);
  for (const name of names) {
    await server.ok("mkdir", name);
    await server.ok("sync");
  }
  await server.ok("mkdir", "/lost");
  await server.stop("SIGKILL");
}

/** Serves, lists the root directory, and ends; returns what it prints, too. */
async function listed(
  args: string[],
): Promise<{ names: string[]; stdout: string }> {
  const server = await startServer(args);
  const names = (await server.ok("ls", "/")).trimEnd().split("\n");
  const { code, stdout } = await server.stop();
  assert.equal(code, 0);
  return { names: names.filter((name) => name !== "lost+found"), stdout };
}

for (const kind of IMAGES) {
  Deno.test(`what was synced survives a kill, and ends in the image: ${kind.name}`, () =>
    withTempDir(async (dir) => {
      const made = await make(kind, dir, { size: "8M" });
      await killed(made.args, "/a", "/b");
      await refusedWithout(made);
      const plain = `${dir}/plain`;
      await ok(["dump", ON, ...made.args, plain]);
      await ok(["fsck", "-n", ON, ...made.args]);
      if (kind.hasTree) await ok(["verify", ON, ...made.args]);
      await refusedWithout(made);
      const { names, stdout } = await listed([ON, ...made.args]);
      assert.deepEqual(names, ["a", "b"]);
      if (kind.hasTree) await assertRootIs(made, stdout);
      // Now it is as others can read it, and the journal goes.
      await made.check("without a journal");
      await Deno.stat(`${made.path}.journal`);
      assert.deepEqual((await listed(made.args)).names, ["a", "b"]);
      await assert.rejects(
        Deno.stat(`${made.path}.journal`),
        Deno.errors.NotFound,
      );
    }));
}

Deno.test("what is no file in the place of a journal is refused", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/x.img`;
    await ok(["makefs", "-s", "8M", image]);
    await Deno.mkdir(`${image}.journal`);
    for (const flags of [[], [ON]]) {
      const said = await fails(["serve", ...flags, image], 13);
      assert.match(said, /journal: not a regular file: move it out of the way/);
    }
  }));

/** Asserts that nothing opens it without its journal, or replaces its tree. */
async function refusedWithout(made: MadeDevice): Promise<void> {
  const { path } = made;
  const message = /x.img.journal has commits that are not in the image yet/;
  const plain = `${path}.none`;
  for (
    const command of [
      ["serve", ...made.args],
      ["serve", "--read-only", ...made.args],
      ["dump", ...made.args, plain],
      ["makemerkle", path, plain],
      ...(made.kind.hasTree ? [["verify", ...made.args]] : []),
    ]
  ) assert.match(await fails(command, 2), message);
  assert.match(await fails(["fsck", "-n", ...made.args], 16), message);
}

/** Asserts that the root that was printed is the root file's. */
async function assertRootIs(made: MadeDevice, stdout: string): Promise<void> {
  const printed = /^Root: ([0-9a-f]{64})@([0-9]+)$/m.exec(stdout);
  const kept = JSON.parse(await Deno.readTextFile(`${made.path}.root`));
  assert.equal(printed?.[1], kept.root);
  assert.equal(Number(printed?.[2]), kept.leaves);
}

const CBC = IMAGES.find(({ name }) => name === "bdvericrypt with aes-256-cbc")!;

await testWith(
  ["python3"],
  "the original finds what it should in an image that was closed",
  () =>
    withTempDir(async (dir) => {
      const made = await make(CBC, dir, { size: "4M" });
      await killed(made.args, "/a");
      const { stdout } = await listed([ON, ...made.args]);
      const plain = await made.dump();
      const jobs: Job[] = [{
        do: "encrypt",
        from: plain,
        to: `${dir}/encrypted`,
        cipher: "aes-256-cbc",
        blockSize: 4096,
        password: "the password",
      }, {
        do: "tree",
        image: made.path,
        tree: `${dir}/made`,
        algorithm: "sha256",
        blockSize: 4096,
        key: "another password",
      }];
      const [, root] = await original(jobs);
      assert(stdout.includes(`Root: ${root}@1024`), stdout);
      const pairs = [[made.path, "encrypted"], [made.tree!, "made"]];
      for (const [ours, theirs] of pairs) {
        const bytes = await Deno.readFile(ours);
        assert.deepEqual(bytes, await Deno.readFile(`${dir}/${theirs}`));
      }
    }),
);

const VERITY = IMAGES.find(({ name }) => name === "bdverity")!;

Deno.test("with a password of the tree, the old ROOT opens it after a kill", () =>
  withTempDir(async (dir) => {
    const made = await make(VERITY, dir, { size: "8M" });
    const { root, leaves } = JSON.parse(
      await Deno.readTextFile(`${made.path}.root`),
    );
    const flags = made.flags.map((flag) =>
      flag.replace(`file=${made.path}.root`, `${root}@${leaves}`)
    );
    const args = [...flags, made.path];
    await killed(args, "/a");
    await killed(args, "/b");
    const { names } = await listed([ON, ...args]);
    assert.deepEqual(names, ["a", "b"]);
    const stderr = await fails(["serve", ON, ...made.args], 14);
    assert.match(stderr, /whose root is not the one in .*x.img.root: rolled/);
  }));

Deno.test("an image put back is refused with code 14, or accepted", () =>
  withTempDir(async (dir) => {
    const made = await make(VERITY, dir, { size: "8M" });
    const names = ["x.img", "x.img.tree", "x.img.journal"];
    await killed(made.args, "/a");
    for (const name of names) {
      await Deno.copyFile(`${dir}/${name}`, `${dir}/${name}.old`);
    }
    await killed(made.args, "/b");
    for (const name of names) {
      await Deno.copyFile(`${dir}/${name}.old`, `${dir}/${name}`);
    }
    const stderr = await fails(["serve", ON, ...made.args], 14);
    assert.match(
      stderr,
      /\(--accept-rollback GENERATION takes it as it is\)$/m,
    );
    const generation = /at generation (\d+)/.exec(stderr)![1];
    const accept = ["--accept-rollback", generation];
    assert.match(
      await fails(["serve", ...accept, ...made.args], 2),
      /journal=/,
    );
    const { names: found } = await listed([ON, ...accept, ...made.args]);
    assert.deepEqual(found, ["a"]);
    assert.deepEqual((await listed(made.args)).names, ["a"]);
  }));

Deno.test("an image that is made anew has no journal of the old one", () =>
  withTempDir(async (dir) => {
    const made = await make(PLAIN, dir, { size: "4M" });
    const journal = `${made.path}.journal`;
    await killed(made.args, "/a");
    await Deno.remove(made.path);
    const makefs = ["makefs", "-s", "4M", made.path];
    assert.match(await fails(makefs, 1), /x.img.journal: File exists: the jou/);
    await ok([...makefs, "--force"]);
    await assert.rejects(Deno.stat(journal), Deno.errors.NotFound);
    assert.deepEqual((await listed([ON, ...made.args])).names, []);
    // What is served is not replaced.
    const server = await startServer([ON, ...made.args]);
    await fails([...makefs, "--force"], 11);
    await fails(["serve", ON, ...made.args], 11);
    await server.stop();
    await Deno.stat(journal);
  }));

Deno.test("the journal of an image is as large as it is told to be", () =>
  withTempDir(async (dir) => {
    const made = await make(PLAIN, dir, { size: "4M" });
    const size = ["--journal-size", "2M"];
    await listed([ON, ...size, ...made.args]);
    const { size: found, mode } = await Deno.stat(`${made.path}.journal`);
    assert.deepEqual([found, mode! & 0o777], [2 << 20, 0o600]);
    const cases: [string[], RegExp][] = [
      [size, /--journal-size needs a journal of the image: --journal=on/],
      [["--anchor", "x"], /--anchor is for volumes: .* has --root-file/],
      [[ON, "--accept-rollback", "1"], /is for what has a hash tree/],
      [[ON, "--accept-rollback", "-1"], /accept-rollback/],
    ];
    for (const [flags, message] of cases) {
      assert.match(await fails(["serve", ...flags, ...made.args], 2), message);
    }
  }));
