/**
 * A client in Python that was written from `docs/rpc.md` alone, against the
 * program as a user runs it.
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { decodeMessage, REPLY_ITEMS_MAX } from "../../rpc/codec.ts";
import { CDDL } from "../../rpc/document/update.ts";
import { OPERATIONS } from "../../rpc/operations/mod.ts";
import { ok, startServer } from "../cli/program.ts";
import { certificates } from "../support/certificates.ts";
import {
  DEBIAN_PYTHON,
  must,
  testWith,
  withTempDir,
} from "../support/tools.ts";
import { type Judged, validate } from "./cddl_validator.ts";

const CHECKS = fileURLToPath(new URL("client_checks.py", import.meta.url));

/** Serves a new image at `listen`, and ends well. */
async function withServer(
  flags: readonly string[],
  listen: (dir: string) => string,
  visit: (endpoint: string) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const image = `${dir}/volume.img`;
    await ok(["makefs", "--size", "32M", image]);
    const server = await startServer(
      [...flags, "--listen", listen(dir), image],
    );
    try {
      await visit(server.endpoint);
    } finally {
      assert.equal((await server.stop()).code, 0);
    }
  });
}

/** Runs the checks, and sees that some were made. */
async function check(...args: string[]): Promise<void> {
  const output = await must(DEBIAN_PYTHON, "-B", CHECKS, ...args);
  const lines = output.trimEnd().split("\n");
  assert.ok(lines.length > 10 && lines.every((line) => line.startsWith("ok")));
}

for (
  const [kind, listen] of [
    ["a UNIX socket", (dir: string): string => `unix:${dir}/socket`],
    ["TCP", (): string => "tcp:127.0.0.1:0"],
  ] as const
) {
  await testWith(
    ["python3-cbor2"],
    `a client made from the document alone works over ${kind}`,
    () => withServer([], listen, check),
  );
}

await testWith(
  ["python3-cbor2", "openssl"],
  "a client made from the document alone works over TLS",
  async () => {
    const { ca, server, client } = await certificates();
    const flags = [
      ...["--tls-cert", server.certPath, "--tls-key", server.keyPath],
      ...["--client-ca", ca.certPath],
    ];
    const own = [ca.certPath, client.certPath, client.keyPath];
    await withServer(
      flags,
      () => "tls:localhost:0",
      (endpoint) => check(endpoint, ...own),
    );
  },
);

await testWith(
  ["python3-cbor2"],
  "what that client says and hears is as nextfs.cddl has it",
  () =>
    withTempDir((dir) =>
      withServer([], () => `unix:${dir}/heard`, async (endpoint) => {
        await check("--heard", `${dir}/messages`, endpoint);
        const messages = messagesOf(await Deno.readTextFile(`${dir}/messages`));
        assert.ok(messages.length > 500);
        const verdicts = await validate(CDDL, messages);
        verdicts.forEach((verdict, i) => {
          assert.equal(verdict, null, messages[i].rule);
        });
      })
    ),
);

/** Requests that were understood, and all replies. */
function messagesOf(heard: string): Judged[] {
  const messages: Judged[] = [];
  for (const line of heard.trimEnd().split("\n")) {
    const [operation, request, reply] = line.split(" ");
    const rule = operation.replaceAll("_", "-");
    const answer = Uint8Array.fromHex(reply);
    const isKnown = Object.hasOwn(OPERATIONS, operation);
    messages.push({
      rule: isKnown ? `${rule}-reply` : "failure",
      message: answer,
    });
    const [, status] = decodeMessage(answer, REPLY_ITEMS_MAX);
    if (status !== 0) continue;
    const message = Uint8Array.fromHex(request);
    messages.push({ rule: `${rule}-request`, message });
  }
  return messages;
}

await testWith(
  ["python3-cbor2"],
  "a client made from the document alone is told when the server stops",
  () =>
    withTempDir(async (dir) => {
      const image = `${dir}/volume.img`;
      await ok(["makefs", "--size", "8M", image]);
      const server = await startServer(
        ["--listen", `unix:${dir}/socket`, image],
      );
      const client = new Deno.Command(DEBIAN_PYTHON, {
        args: ["-B", CHECKS, "--until-shutdown", server.endpoint],
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const said = client.stdout.pipeThrough(new TextDecoderStream());
      let text = "";
      let stopped: Promise<{ code: number }> | undefined;
      for await (const part of said) {
        text += part;
        if (text.includes("ready\n")) stopped ??= server.stop();
      }
      const stderr = await new Response(client.stderr).text();
      assert.equal((await client.status).code, 0, stderr);
      assert.equal((await (stopped ?? server.stop())).code, 0);
      assert.match(text, /^ready\nok /);
    }),
);
