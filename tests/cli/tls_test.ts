import assert from "node:assert/strict";
import { certificates } from "../support/certificates.ts";
import { testWith, withTempDir } from "../support/tools.ts";
import { nextfs, ok, startServer } from "./program.ts";

/** Makes an image with one file in it. */
async function makeImage(dir: string): Promise<string> {
  await Deno.mkdir(`${dir}/tree`);
  await Deno.writeTextFile(`${dir}/tree/greeting`, "hello\n");
  await ok(["makefs", `${dir}/x.img`, `${dir}/tree`]);
  return `${dir}/x.img`;
}

await testWith(["openssl"], "serve and the commands speak TLS", async () => {
  const { ca, server, client, stranger } = await certificates();
  const serverFlags = [
    ...["--tls-cert", server.certPath, "--tls-key", server.keyPath],
    ...["--client-ca", ca.certPath],
  ];
  const as = ({ certPath, keyPath }: typeof client): string[] => [
    ...["--tls-cert", certPath, "--tls-key", keyPath, "--ca", ca.certPath],
  ];
  await withTempDir(async (dir) => {
    const image = await makeImage(dir);
    for (const endpoint of ["tls:localhost:0", `unix:${dir}/socket`]) {
      const serving = await startServer([
        ...serverFlags,
        ...["--listen", endpoint, image],
      ]);
      try {
        const text = await serving.ok("cat", ...as(client), "/greeting");
        assert.equal(text, "hello\n");
        const without = await serving.client("cat", "/greeting");
        assert.equal(without.code, 1);
        assert.match(
          without.stderr,
          /give --tls-cert, --tls-key and --ca\n$/,
        );
        const refused = await serving.client("ls", ...as(stranger), "/");
        assert.equal(refused.code, 1);
        assert.match(
          refused.stderr,
          /^nextfs ls: Cannot connect to .*log says/,
        );
        assert.equal(refused.stderr.split("\n").length, 2, "one line");
      } finally {
        assert.equal((await serving.stop()).code, 0);
      }
    }
  });
});

await testWith(["openssl"], "serve takes the original's -Z", async () => {
  const { ca, server, client } = await certificates();
  await withTempDir(async (dir) => {
    const image = await makeImage(dir);
    const serving = await startServer([
      ...["-Z", ca.certPath, server.certPath, server.keyPath],
      ...[`${dir}/socket`, image],
    ]);
    try {
      const text = await serving.ok("cat", ...[
        ...["--tls-cert", client.certPath, "--tls-key", client.keyPath],
        ...["--ca", ca.certPath, "/greeting"],
      ]);
      assert.equal(text, "hello\n");
    } finally {
      assert.equal((await serving.stop()).code, 0);
    }
  });
});

await testWith(
  ["openssl"],
  "files that are no certificates are named",
  async () => {
    const { ca, client } = await certificates();
    const run = await nextfs([
      ...["ls", "--connect", "tls:127.0.0.1:1", "--tls-cert", client.certPath],
      ...["--tls-key", ca.certPath, "--ca", ca.certPath, "/"],
    ]);
    assert.equal(run.code, 1);
    assert.equal(
      run.stderr,
      `nextfs ls: --tls-key ${ca.certPath}: there is no private key in it ` +
        "(PEM)\n",
    );
    const half = await nextfs(["ls", "--ca", ca.certPath, "/"], {
      env: { NEXTFS_CONNECT: "tls:127.0.0.1:1" },
    });
    assert.equal(half.code, 2);
    assert.match(half.stderr, /TLS needs --tls-cert and --tls-key too/);
  },
);
