import assert from "node:assert/strict";
import { hasNode, installClient } from "../support/node.ts";
import { withTempDir } from "../support/tools.ts";
import { Served } from "./harness.ts";

const ROOT = new URL("../../", import.meta.url);
const DOCUMENT = await Deno.readTextFile(new URL("docs/client.md", ROOT));

/** The name that the examples import, and where they think the server is. */
const NAME = "@nextfs/nextfs";
const ENDPOINT = "unix:/run/nextfs.sock";

/** An example, and what it prints. */
interface Example {
  readonly language: string;
  readonly code: string;
  readonly output: string;
}

/** The programs of the page: each is followed by what it prints. */
function examples(language: string): Example[] {
  const blocks = /```(ts|js)\n(.*?)```\n(?:\n```text\n(.*?)```)?/gs;
  return [...DOCUMENT.matchAll(blocks)].map(([, language, code, output]) => {
    assert.notEqual(output, undefined, `what does this print?\n${code}`);
    return { language, code, output };
  }).filter((example) => example.language === language);
}

/** Runs an example against a new server, and compares what it prints. */
async function run(
  example: Example,
  dir: string,
  command: string[],
): Promise<void> {
  const socket = `unix:${dir}/socket`;
  await using served = await Served.start();
  await served.server.listen(socket);
  const program = `${dir}/example.${example.language}`;
  const code = example.code.replaceAll(`"${ENDPOINT}"`, `"${socket}"`);
  await Deno.writeTextFile(program, code);
  const { success, stdout, stderr } = await new Deno.Command(command[0], {
    args: [...command.slice(1), program],
    cwd: dir,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  assert.ok(success, `${code}\n${decoder.decode(stderr)}`);
  assert.equal(decoder.decode(stdout), example.output, code);
}

Deno.test("the examples of docs/client.md run in Deno", () =>
  withTempDir(async (dir) => {
    const { imports, compilerOptions } = JSON.parse(
      await Deno.readTextFile(new URL("deno.json", ROOT)),
    );
    const config = {
      imports: { ...imports, [NAME]: new URL("mod.ts", ROOT).href },
      compilerOptions,
      nodeModulesDir: "none",
    };
    await Deno.writeTextFile(`${dir}/deno.json`, JSON.stringify(config));
    await Deno.copyFile(new URL("deno.lock", ROOT), `${dir}/deno.lock`);
    const options = ["--quiet", "--check", "--allow-all"];
    const all = examples("ts");
    assert.ok(all.length >= 8, `${all.length} examples`);
    for (const example of all) {
      await run(example, dir, [Deno.execPath(), "run", ...options]);
    }
  }));

Deno.test("the examples of docs/client.md run in Node", () =>
  withTempDir(async (dir) => {
    if (!await hasNode()) return;
    await installClient(dir);
    const json = JSON.stringify({ type: "module" });
    await Deno.writeTextFile(`${dir}/package.json`, json);
    const all = examples("js");
    assert.ok(all.length >= 1);
    for (const example of all) await run(example, dir, ["node"]);
  }));
