import assert from "node:assert/strict";
import * as library from "../../rpc/client_mod.ts";
import { formatEndpoint } from "../../rpc/mod.ts";
import { certificates, clientTls, serverTls } from "../support/certificates.ts";
import { hasNode, installClient } from "../support/node.ts";
import { withTempDir } from "../support/tools.ts";
import { scenario, type ScenarioOptions } from "./client_scenario.ts";
import { Served } from "./harness.ts";

/** Runs `test` for a server on each kind of endpoint. */
async function onEachEndpoint(
  test: (options: ScenarioOptions) => Promise<void>,
): Promise<void> {
  for (const withTls of [false, true]) {
    const tls = withTls ? await serverTls() : undefined;
    const { otherCa } = await certificates();
    const secure = withTls
      ? { tls: await clientTls(), otherCa: otherCa.cert }
      : {};
    await withTempDir(async (dir) => {
      await using served = await Served.start({ tls });
      // Node 20 cannot reach a name that is in no directory.
      const unix = `unix:${dir}/socket`;
      await served.server.listen(unix);
      for (const endpoint of [unix, formatEndpoint(served.endpoints[1])]) {
        await test({ endpoint, ...secure });
      }
    });
  }
}

Deno.test("a program uses the client in Deno", async () => {
  await onEachEndpoint((options) => scenario(library, options));
});

Deno.test("the same program uses the package in Node", async () => {
  if (!await hasNode()) return;
  await withTempDir(async (cwd) => {
    const program = await makeProgram(cwd);
    await onEachEndpoint(async (options) => {
      const args = ["--trace-warnings", program, JSON.stringify(options)];
      const { success, stdout, stderr } = await new Deno.Command("node", {
        ...{ args, cwd },
      }).output();
      const said = new TextDecoder().decode(stderr);
      assert.ok(success, `${options.endpoint}: ${said}`);
      assert.equal(said, "");
      assert.equal(new TextDecoder().decode(stdout), "done\n");
    });
    await checkTypes(cwd);
  });
});

/** A program that has the package as one of its own. */
async function makeProgram(dir: string): Promise<string> {
  await installClient(dir);
  const source = new URL("./client_scenario.ts", import.meta.url).pathname;
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["transpile", "-q", "-o", `${dir}/scenario.mjs`, source],
  }).output();
  assert.ok(success);
  const program = `${dir}/program.mjs`;
  await Deno.writeTextFile(
    program,
    `import * as library from "@nextfs/nextfs";
import { scenario } from "./scenario.mjs";
await scenario(library, JSON.parse(process.argv[2]));
console.log("done");
`,
  );
  return program;
}

/** The types of the package are understood, and are not just anything. */
async function checkTypes(dir: string): Promise<void> {
  const dependencies = { "@nextfs/nextfs": "*" };
  const json = JSON.stringify({ type: "module", dependencies });
  await Deno.writeTextFile(`${dir}/package.json`, json);
  await Deno.writeTextFile(`${dir}/deno.json`, '{"nodeModulesDir":"manual"}');
  await Deno.writeTextFile(
    `${dir}/types.ts`,
    `import { connect, FsError, type RemoteFile } from "@nextfs/nextfs";
const client = await connect("unix:/run/nextfs.sock");
const file: RemoteFile = await client.files.open("/x", { append: true });
const count: number | null = await file.read(new Uint8Array(1));
const { attributes } = await client.call("getattr", { node: client.root });
const size: number = attributes.size;
console.log(count, size, FsError);
// @ts-expect-error There is no such operation.
await client.call("nothing", {});
`,
  );
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "-q", "types.ts"],
    cwd: dir,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
