/**
 * `serve` with the command line of the original's server:
 * `[-a] [-b DEVICE] [-d] [-l LOGFILE] [-v] UDSPATH IMAGE`.
 */

import assert from "node:assert/strict";
import { withTempDir } from "../support/tools.ts";
import { DEVICE_KINDS, type MadeDevice, make } from "./devices.ts";
import { nextfs, ok, startServer } from "./program.ts";

const onLinux = { ignore: Deno.build.os !== "linux" };
const IMAGES = DEVICE_KINDS.filter(({ family }) => family === "image");
const VERICRYPT = IMAGES[IMAGES.length - 1];

/** DEVICE as the original has it: passwords in plain sight, a bare root. */
async function literalDevice(made: MadeDevice, dir: string): Promise<string> {
  const { kind: { device, cipher, hasTree }, path } = made;
  const fields = [device];
  if (hasTree) {
    const { root } = JSON.parse(await Deno.readTextFile(`${path}.root`));
    fields.push(`${path}.tree`, await password(`${dir}/tree-password`), root);
  }
  if (cipher) fields.push(await password(`${dir}/password`), cipher);
  return fields.join(":");
}

async function password(path: string): Promise<string> {
  return (await Deno.readTextFile(path)).trimEnd();
}

for (const kind of IMAGES) {
  Deno.test(
    `the original's command line serves an image: ${kind.name}`,
    onLinux,
    () =>
      withTempDir(async (dir) => {
        const made = await make(kind, dir, { size: "8M" });
        const name = `nextfs-test-${crypto.randomUUID()}`;
        const server = await startServer([
          ...["-a", "-b", await literalDevice(made, dir)],
          ...["-l", `${dir}/log`, "-v", name, made.path],
        ]);
        assert.equal(server.endpoint, `unix:@${name}`);
        await server.ok("mkdir", "/made");
        assert.equal(await server.ok("ls"), "lost+found\nmade\n");
        const { code, stdout } = await server.stop();
        assert.equal(code, 0);
        const log = await Deno.readTextFile(`${dir}/log`);
        assert.equal(
          /a password on the command line can be seen/.test(log),
          kind.device !== "bdstd",
          log,
        );
        assert.equal(/without a number of leaves/.test(log), kind.hasTree, log);
        assert.match(log, /^\d{4}-.*Z nextfs serve: Began connection 1 /m);
        const root = /^Root: (.*)$/m.exec(stdout);
        assert.equal(/ Root: (.*)$/m.exec(log)?.[1], root?.[1]);
        assert.equal(root !== null, kind.hasTree);
        const flags = made.flags.map((flag) =>
          root ? flag.replace(`file=${made.path}.root`, root[1]) : flag
        );
        await ok(["dump", ...flags, made.path, `${dir}/plain`]);
      }),
  );
}

/** Ids of the processes that have `word` on their command line. */
function processesWith(word: string): number[] {
  return [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) return [];
    try {
      const line = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      return line.split("\0").includes(word) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

/** Waits until no process has `word` on its command line. */
async function waitForEnd(word: string): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (processesWith(word).length === 0) return;
    await new Promise((wake) => setTimeout(wake, 25));
  }
  assert.fail(`a process with ${word} does not end`);
}

for (const log of [[], ["-l", "log"]]) {
  const title = log.length > 0 ? "with a log file" : "without one";
  Deno.test(
    `serve -d returns when it listens, and the server goes on, ${title}`,
    onLinux,
    () =>
      withTempDir(async (dir) => {
        const made = await make(VERICRYPT, dir, { size: "8M" });
        const socket = `${dir}/s`;
        const args = ["-d", "-v", ...log, ...made.flags, socket, made.path];
        const started = await nextfs(["serve", ...args], { cwd: dir });
        const pids = processesWith(made.path);
        try {
          assert.equal(started.code, 0, started.stderr);
          assert.equal(started.stdout, `Listening on unix:${socket}\n`);
          assert.equal(pids.length, 1, "one process goes on");
          const env = { NEXTFS_CONNECT: `unix:${socket}` };
          // Whatever it says now, nobody reads.
          for (const name of ["/one", "/two", "/three"]) {
            await ok(["mkdir", name], { env });
          }
          const listing = await ok(["ls"], { env });
          assert.equal(listing, "lost+found\none\nthree\ntwo\n");
        } finally {
          for (const pid of pids) Deno.kill(pid, "SIGTERM");
          await waitForEnd(made.path);
        }
        await made.check("after the server in the background");
        if (log.length === 0) return;
        const said = await Deno.readTextFile(`${dir}/log`);
        assert.match(said, /connection/);
      }),
  );
}

Deno.test(
  "serve -d takes a passphrase from the standard input",
  onLinux,
  () =>
    withTempDir(async (dir) => {
      const kind = DEVICE_KINDS.find(({ name }) => name === "a crypt volume")!;
      const made = await make(kind, dir, { size: "8M" });
      const listen = ["--listen", `unix:${dir}/s`];
      const args = ["serve", "-d", "--passfile", "-", ...listen, made.path];
      const stdin = await Deno.readFile(`${dir}/passphrase`);
      const started = await nextfs(args, { stdin });
      const pids = processesWith(made.path);
      for (const pid of pids) Deno.kill(pid, "SIGTERM");
      await waitForEnd(made.path);
      assert.equal(started.code, 0, started.stderr);
      assert.equal(pids.length, 1);
    }),
);

Deno.test("serve -d wants the last root to be kept somewhere", () =>
  withTempDir(async (dir) => {
    const made = await make(VERICRYPT, dir, { size: "8M" });
    const device = await literalDevice(made, dir);
    const args = ["-d", "-b", device, `${dir}/s`, made.path];
    const { code, stderr } = await nextfs(["serve", ...args]);
    assert.equal(code, 2);
    assert.match(stderr, /nobody sees the root .*: give --root-file PATH\n$/);
  }));

Deno.test("serve -d says why it does not start, and returns its code", () =>
  withTempDir(async (dir) => {
    const made = await make(VERICRYPT, dir, { size: "8M" });
    await Deno.writeTextFile(`${dir}/password`, "a wrong one");
    const args = ["-d", ...made.flags, `${dir}/s`, made.path];
    const { code, stdout, stderr } = await nextfs(["serve", ...args]);
    assert.equal(code, 12, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^nextfs serve: .*wrong password or cipher.*\n$/);
  }));
