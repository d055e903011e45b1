import assert from "node:assert/strict";
import { testWith, withTempDir } from "../support/tools.ts";
import { FAST_SCRYPT, newVolume, passphrase } from "../support/volumes.ts";
import { nextfs, ok } from "./program.ts";
import { onTerminal } from "./terminal.ts";

/** Makes a volume that the passphrase "secret" opens. */
function withLocked(
  visit: (path: string, dir: string) => Promise<void>,
): Promise<void> {
  return withTempDir(async (dir) => {
    const secret = passphrase("secret");
    const slot = { scrypt: FAST_SCRYPT };
    await newVolume(`${dir}/v`, "crypt", { secret, slot });
    await visit(`${dir}/v`, dir);
  });
}

Deno.test("a passphrase comes from stdin, a program or NEXTFS_PASSFILE", () =>
  withLocked(async (path, dir) => {
    const stdin = new TextEncoder().encode("secret\n");
    const passfile = `${dir}/secret`;
    await Deno.writeFile(passfile, stdin);
    const verified = /^Verified: +yes/m;
    const fromStdin = await ok(["info", "--passfile", "-", path], { stdin });
    assert.match(fromStdin, verified);
    const words = ["--extpass", "cat", "--extpass", passfile];
    assert.match(await ok(["info", ...words, path]), verified);
    // What is set for all commands gives way to a flag.
    const env = { NEXTFS_PASSFILE: passfile };
    const add = ["--new-passfile", passfile, "--scryptn", "10", path];
    assert.equal(
      await ok(["key", "add", ...add], { env }),
      "Added key slot 1\n",
    );
    const other = { NEXTFS_PASSFILE: `${dir}/none` };
    await ok(["passwd", ...words, ...add], { env: other });
    const wrong = await nextfs(["key", "remove", path, "1"], { env: other });
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /\/none: No such file or directory\n$/);
  }));

Deno.test("without a passphrase and a terminal, the ways are listed", () =>
  withLocked(async (path) => {
    for (const args of [["rekey", path], ["passwd", path]]) {
      const { code, stderr } = await nextfs(args);
      assert.equal(code, 2);
      assert.match(
        stderr,
        /--keyfile, --passfile, --extpass or NEXTFS_PASSFILE/,
      );
    }
  }));

Deno.test("no program can be started that the command line does not name", async () => {
  const module = new URL("../../tools/permissions.ts", import.meta.url);
  const script = `import { giveBackRun } from ${JSON.stringify(module.href)};
    giveBackRun(Deno.args);
    console.log(Deno.permissions.querySync({ name: "run" }).state);`;
  const url = `data:text/typescript,${encodeURIComponent(script)}`;
  const state = async (...args: string[]): Promise<string> => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--allow-run", "--allow-read", url, ...args],
    }).output();
    return new TextDecoder().decode(stdout).trim();
  };
  assert.deepEqual(
    await Promise.all([
      state("info", "--keyfile", "x", "extpass"),
      state("info", "--extpass", "x"),
      state("passwd", "--new-extpass=x"),
    ]),
    ["prompt", "granted", "granted"],
  );
});

await testWith(
  ["python3"],
  "a passphrase is typed twice, and never shown",
  () =>
    withTempDir(async (dir) => {
      const path = `${dir}/v`;
      const init = ["init", "-s", "1M", "--scryptn", "10", path];
      const first = `New passphrase of ${path}: `;
      const again = "The same again: ";
      const differ = await onTerminal(init, [[first, "one\r"], [
        again,
        "two\r",
      ]]);
      assert.equal(differ.code, 2);
      assert.match(
        differ.output,
        /The two passphrases differ: nothing was done/,
      );
      const stopped = await onTerminal(init, [[first, "se\x03"]]);
      assert.deepEqual([stopped.code, stopped.echo], [130, true]);
      assert.deepEqual([...Deno.readDirSync(dir)], []);
      const made = await onTerminal(init, [
        [first, "secrex\x7ft\r"],
        [again, "secret\r"],
      ]);
      assert.deepEqual([made.code, made.echo], [0, true], made.output);
      assert(made.output.startsWith(`${first}\r\n${again}\r\n`), made.output);
      const changed = await onTerminal(["passwd", "--scryptn", "10", path], [
        [`Passphrase of ${path}: `, "secret\r"],
        [first, "new\r"],
        [again, "new\r"],
      ]);
      assert.equal(changed.code, 0, changed.output);
      const old = await onTerminal(["rekey", path], [
        [`Passphrase of ${path}: `, "secret\r"],
      ]);
      assert.equal(old.code, 12);
      assert.match(old.output, /wrong passphrase\r\n$/);
    }),
);
