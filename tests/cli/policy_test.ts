import assert from "node:assert/strict";
import { assertClean, run, withTempDir } from "../support/tools.ts";
import { ok, startServer } from "./program.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Starts a server that must refuse to; returns what it says. */
async function refusal(dir: string, policy?: string): Promise<string> {
  if (policy !== undefined) await Deno.writeTextFile(`${dir}/p.json`, policy);
  const { code, stderr } = await run("env", "-C", dir, Deno.execPath(), ...[
    ...["run", "-q", `--config=${ROOT}deno.json`, "-P=serve"],
    ...[`${ROOT}main.ts`, "serve", "--policy", "p.json", "x.img"],
  ]);
  assert.equal(code, 1, stderr);
  assert.equal(stderr.split("\n").length, 2, "one line");
  return stderr;
}

Deno.test("a policy that is wrong refuses start, and says where", async () => {
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/tree/srv`, { recursive: true });
    await Deno.symlink("srv", `${dir}/tree/link`);
    await ok(["makefs", "x.img", "tree"], { cwd: dir });
    assert.equal(
      await refusal(dir, '{\n  "rules": [],\n  "othrwise": "read"\n}\n'),
      'nextfs serve: p.json:3:3: unknown key "othrwise"; did you mean ' +
        "'otherwise'?\n",
    );
    const rule = (rest: string): string => `{"rules": [\n{"match": {${rest}}]}`;
    assert.match(
      await refusal(dir, rule('"socket": "unix:y"}, "access": "read"')),
      /p\.json:2:22: the server does not listen there, but at unix:x\.img\.sock/,
    );
    for (const path of ["/nowhere", "/link"]) {
      const text = rule(
        `"subject": "CN=x"}, "access": "read", "export": "${path}"`,
      );
      assert.match(
        await refusal(dir, text),
        /p\.json:2:60: the volume has no directory at this path/,
      );
    }
    await Deno.remove(`${dir}/p.json`);
    assert.match(await refusal(dir), /: p\.json: No such file or directory\n$/);
    await Deno.symlink("/dev/zero", `${dir}/p.json`);
    assert.match(
      await refusal(dir),
      /: p\.json:1:1: it is longer than 1048576/,
    );
    await assertClean(`${dir}/x.img`, "after a start that was refused");
  });
});

Deno.test("a server starts with a policy that is right", async () => {
  await withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/tree/srv`, { recursive: true });
    await ok(["makefs", "x.img", "tree"], { cwd: dir });
    await Deno.writeTextFile(
      `${dir}/p.json`,
      `{"rules": [{"match": {"socket": "unix:x.img.sock"}, // here
        "access": "write", "export": "/srv"}]}`,
    );
    const server = await startServer(["--policy", "p.json", "x.img"], dir);
    assert.equal((await server.stop()).code, 0);
  });
});
