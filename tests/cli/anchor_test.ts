/**
 * Anchors on the command line: apart, beside and none, what is refused by
 * them, and the ways out.
 */

import assert from "node:assert/strict";
import { must, withTempDir } from "../support/tools.ts";
import { nextfs, ok, startServer } from "./program.ts";

/** A directory with a key file, and what opens the volume in it. */
interface Place {
  readonly dir: string;
  readonly path: string;
  readonly key: string[];
}

function withPlace(visit: (place: Place) => Promise<void>): Promise<void> {
  return withTempDir(async (dir) => {
    for (const name of ["key", "other"]) {
      await Deno.writeFile(
        `${dir}/${name}`,
        crypto.getRandomValues(new Uint8Array(32)),
      );
    }
    await visit({ dir, path: `${dir}/v`, key: ["--keyfile", `${dir}/key`] });
  });
}

/** Serves a volume, and makes a directory in it. */
async function changeOnce(args: string[], name: string): Promise<void> {
  const server = await startServer(args);
  await server.ok("mkdir", name);
  assert.equal((await server.stop()).code, 0);
}

/** What is in the root of a volume; its warnings are thrown away. */
async function list(args: string[]): Promise<string[]> {
  const server = await startServer(["--read-only", ...args]);
  const names = (await server.ok("ls", "/")).trimEnd().split("\n");
  await server.stop();
  return names.filter((name) => name !== "lost+found");
}

/** Runs a command that must fail with `code` and one line on stderr. */
async function fails(
  args: string[],
  code: number,
  message: RegExp,
): Promise<void> {
  const run = await nextfs(args);
  assert.match(run.stderr, message);
  assert.equal(run.code, code, run.stderr);
  assert.equal(run.stderr.trimEnd().split("\n").length, 1, run.stderr);
}

async function infoOf(args: string[]): Promise<{
  journalSize: number;
  anchorPlace: string;
  anchor: { generation: number } | null;
}> {
  return JSON.parse(await ok(["info", "--json", ...args]));
}

Deno.test("an anchor apart is needed by all commands, and opens a copy", () =>
  withPlace(async ({ dir, path, key }) => {
    const anchor = ["--anchor", `${dir}/anchor`];
    await ok(["init", "-s", "8M", "--journal-size", "2M", ...key].concat(
      [...anchor, path],
    ));
    assert.equal((await Deno.stat(`${path}/journal`)).size, 2 << 20);
    await assert.rejects(Deno.stat(`${path}/anchor`), Deno.errors.NotFound);
    const more = ["--new-keyfile", `${dir}/other`];
    const needed = /Cannot open .*: its anchor is kept apart: give .*--anchor/;
    const plain = `${dir}/plain`;
    for (
      const command of [
        ["serve", ...key, path],
        ["verify", ...key, path],
        ["dump", ...key, path, plain],
        ["passwd", ...key, ...more, path],
        ["key", "add", ...key, ...more, path],
      ]
    ) await fails(command, 2, needed);
    await fails(["fsck", "-n", ...key, path], 16, needed);
    const both = [...key, ...anchor];
    await changeOnce([...both, path], "/a");
    await ok(["verify", ...both, path]);
    await ok(["fsck", "-n", ...both, path]);
    await ok(["dump", ...both, path, plain]);
    await ok(["key", "add", ...both, ...more, path]);
    await ok(["key", "list", ...both, path]);
    await ok(["passwd", ...both, ...more, path]);
    await ok(["passwd", "--keyfile", `${dir}/other`, ...anchor].concat(
      ["--new-keyfile", `${dir}/key`, path],
    ));
    const found = await infoOf([...both, path]);
    assert.equal(found.anchorPlace, "apart");
    assert.equal(found.journalSize, 2 << 20);
    assert((found.anchor?.generation ?? 0) > 5);
    assert.equal((await infoOf([...key, path])).anchor, null);
    const text = await ok(["info", ...key, path]);
    assert.match(text, /^Anchor: +apart, where --anchor PATH says$/m);
    assert.match(text, /^File journal: 2.0M, /m);
    // Another one may go on with a copy, and with a copy of the anchor.
    await must("cp", "-a", path, `${dir}/copy`);
    await must("cp", "-a", `${dir}/anchor`, `${dir}/anchor2`);
    const copied = [...key, "--anchor", `${dir}/anchor2`, `${dir}/copy`];
    await changeOnce(copied, "/b");
    assert.deepEqual(await list(copied), ["a", "b"]);
    assert.deepEqual(await list([...both, path]), ["a"]);
  }));

Deno.test("what is older than its anchor is refused, or accepted and logged", () =>
  withPlace(async ({ dir, path, key }) => {
    const args = [...key, "--anchor", `${dir}/anchor`, path];
    await ok(["init", "-s", "8M", ...args]);
    await changeOnce(args, "/a");
    const { anchor } = await infoOf(args);
    const then = anchor!.generation;
    await must("cp", "-a", path, `${dir}/old`);
    await changeOnce(args, "/b");
    await must("rm", "-r", path);
    await must("cp", "-a", `${dir}/old`, path);
    const now = (await infoOf(args)).anchor!.generation;
    assert(now > then);
    const message = new RegExp(
      `is at generation ${then}, the anchor says ${now}: rolled back, or ` +
        "the wrong copy \\(--accept-rollback GENERATION takes it as it is\\)$",
      "m",
    );
    await fails(["verify", ...args], 14, message);
    await fails(["serve", ...args], 14, message);
    await fails(
      ["serve", "--accept-rollback", String(now), ...args],
      14,
      new RegExp(`at generation ${then}, and --accept-rollback says ${now}`),
    );
    const accept = ["--accept-rollback", String(then)];
    // To look at it changes nothing.
    const run = await nextfs(["verify", ...accept, ...args]);
    assert.equal(run.code, 0, run.stderr);
    await fails(["serve", ...args], 14, message);
    const log = ["--log-file", `${dir}/log`];
    await changeOnce([...accept, ...log, ...args], "/c");
    assert.match(
      await Deno.readTextFile(`${dir}/log`),
      new RegExp(`: accepted generation ${then} in place of ${now}$`, "m"),
    );
    assert.deepEqual(await list(args), ["a", "c"]);
    // What was given up is of the past.
    await fails(["serve", ...accept, ...args], 14, /says/);
  }));

Deno.test("an anchor that is lost is made again, if that is agreed to", () =>
  withPlace(async ({ dir, path, key }) => {
    const place = `${dir}/anchor`;
    const args = [...key, "--anchor", place, path];
    await ok(["init", "-s", "8M", ...args]);
    await changeOnce(args, "/a");
    const { generation } = (await infoOf(args)).anchor!;
    const accept = ["--accept-rollback", String(generation)];
    await Deno.remove(place);
    await fails(["serve", ...args], 13, /its anchor .*\/anchor is missing$/m);
    const wrong = ["--accept-rollback", String(generation + 1)];
    await fails(["serve", ...wrong, ...args], 14, /give the one that it is at/);
    await ok(["verify", ...accept, ...args]);
    await assert.rejects(Deno.stat(place), Deno.errors.NotFound);
    await changeOnce([...accept, ...args], "/b");
    assert.deepEqual(await list(args), ["a", "b"]);
    // What is there may be another volume's, and stays.
    await Deno.writeFile(place, new Uint8Array(8192).fill(7));
    await fails(
      ["serve", ...accept, ...args],
      13,
      /not authentic: .* \(move it away: --accept-rollback makes a new one\)$/m,
    );
    assert.equal((await Deno.readFile(place))[0], 7);
  }));

Deno.test("info follows a link to an anchor, and refuses what is no file", () =>
  withPlace(async ({ dir, path, key }) => {
    await ok(["init", "-s", "8M", ...key, "--anchor", `${dir}/anchor`, path]);
    await Deno.symlink("anchor", `${dir}/link`);
    const args = ["info", "--anchor", `${dir}/link`, ...key, path];
    assert.match(await ok(args), /^Verified: +yes/m);
    for (const make of ["mkfifo", "mkdir"]) {
      await Deno.remove(`${path}/journal`);
      await must(make, `${path}/journal`);
      await fails(args, 13, /its journal is not a regular file$/m);
      await fails(["info", path], 13, /its journal is not a regular file$/m);
    }
  }));

Deno.test("a volume without an anchor says so, and knows its generation", () =>
  withPlace(async ({ path, key }) => {
    await ok(["init", "-s", "8M", "--anchor", "none", ...key, path]);
    await changeOnce([...key, path], "/a");
    const { code, stderr } = await nextfs(["verify", ...key, path]);
    assert.equal(code, 0);
    assert.match(stderr, /its anchor is its journal: whoever puts back an old/);
    const found = await infoOf([...key, path]);
    assert.equal(found.anchorPlace, "none");
    assert(found.anchor!.generation > 2);
    await fails(
      ["serve", "--accept-rollback", "2", ...key, path],
      2,
      /--accept-rollback is for a volume that is compared with its anchor/,
    );
  }));

Deno.test("an anchor is one process's own", () =>
  withPlace(async ({ dir, path, key }) => {
    const anchor = ["--anchor", `${dir}/anchor`];
    await ok(["init", "-s", "8M", ...key, ...anchor, path]);
    await must("cp", "-a", path, `${dir}/copy`);
    const server = await startServer([...key, ...anchor, path]);
    const args = [...key, ...anchor, `${dir}/copy`];
    await fails(["serve", ...args], 11, /anchor: another process has it open/);
    await server.stop("SIGKILL");
    await changeOnce([...key, ...anchor, path], "/a");
  }));

Deno.test("what makes no sense of an anchor or a journal is refused", () =>
  withPlace(async ({ dir, path, key }) => {
    const size = ["-s", "8M"];
    const cases: [string[], number, RegExp][] = [
      [["--anchor", `${path}/anchor`, ...key, path], 2, /own directory prot/],
      [["--anchor", `${path}/x/y`, ...key, path], 2, /own directory protects/],
      [["--anchor", `${dir}/key`, ...key, path], 1, /key: already exists/],
      [["--anchor", `${dir}/no/a`, ...key, path], 1, /No such file/],
      [["--device", "std", "--anchor", "none", path], 2, /std has no anchor/],
      [["--journal-size", "1K", ...key, path], 2, /multiple of 4K from 1M/],
      [["--journal-size", "2G", ...key, path], 2, /multiple of 4K from 1M/],
      [["--journal-size", "1048577", ...key, path], 2, /multiple of 4K from/],
    ];
    for (const [args, code, message] of cases) {
      await fails(["init", ...size, ...args], code, message);
      await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
    }
    await ok(["init", ...size, ...key, path]);
    const other = /its anchor is beside it, but --anchor gives another one/;
    await fails(["serve", "--anchor", "", ...key, path], 2, /path is empty$/m);
    const given = ["--anchor", `${dir}/key`];
    await fails(["serve", ...given, ...key, path], 13, other);
    await fails(["info", ...given, ...key, path], 13, other);
    for (const flag of ["--journal=on", "--journal=off"]) {
      await fails(["serve", flag, ...key, path], 2, /--journal is for images/);
    }
    await fails(["serve", "--journal=x", path], 2, /'x' is not on or off/);
    await ok(["init", ...size, "--device", "std", `${dir}/std`]);
    await fails(["serve", ...given, `${dir}/std`], 13, /it has no key, and so/);
  }));
