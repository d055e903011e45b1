import assert from "node:assert/strict";
import { certificates } from "../tests/support/certificates.ts";
import { testWith, withTempDir } from "../tests/support/tools.ts";
import { defaults } from "./cli.ts";
import { UsageError } from "./errors.ts";
import {
  readClientTls,
  readServerTls,
  TLS_CLIENT_FLAGS,
  TLS_SERVER_FLAGS,
} from "./tls.ts";

Deno.test("without flags there is no TLS", () => {
  assert.equal(readServerTls(defaults(TLS_SERVER_FLAGS)), undefined);
  assert.equal(readClientTls(defaults(TLS_CLIENT_FLAGS)), undefined);
});

Deno.test("the flags of TLS go together", () => {
  const server = { ...defaults(TLS_SERVER_FLAGS), "tls-cert": "x" };
  assert.throws(
    () => readServerTls(server),
    new UsageError("TLS needs --tls-key and --client-ca too"),
  );
  const client = { ...defaults(TLS_CLIENT_FLAGS), ca: "x", "tls-key": "x" };
  assert.throws(
    () => readClientTls(client),
    new UsageError("TLS needs --tls-cert too"),
  );
});

await testWith(
  ["openssl"],
  "the files of TLS are read and checked",
  async () => {
    const { ca, server, client } = await certificates();
    const good = {
      "tls-cert": server.certPath,
      "tls-key": server.keyPath,
      "client-ca": ca.certPath,
    };
    assert.deepEqual(readServerTls(good), {
      ca: ca.cert,
      cert: server.cert,
      key: server.key,
    });
    assert.deepEqual(
      readClientTls({
        "tls-cert": client.certPath,
        "tls-key": client.keyPath,
        ca: ca.certPath,
      }),
      { ca: ca.cert, cert: client.cert, key: client.key },
    );
  },
);

await testWith(
  ["openssl"],
  "an error names the file and its flag",
  async () => {
    const { ca, server, client } = await certificates();
    const good = {
      "tls-cert": server.certPath,
      "tls-key": server.keyPath,
      "client-ca": ca.certPath,
    };
    await withTempDir(async (dir) => {
      const garbage = `${dir}/garbage`;
      await Deno.writeTextFile(garbage, "garbage\n");
      await Deno.writeFile(`${dir}/long`, new Uint8Array((1 << 20) + 1));
      for (const flag of Object.keys(good)) {
        for (
          const [path, reason] of [
            [`${dir}/missing`, "No such file or directory"],
            [dir, "Is a directory"],
            [`${dir}/long`, "longer than 1048576 bytes"],
            ["/dev/zero", "longer than 1048576 bytes"],
            [
              garbage,
              `there is no ${
                flag === "tls-key" ? "private key" : "certificate"
              } in it (PEM)`,
            ],
          ]
        ) {
          assert.throws(
            () => readServerTls({ ...good, [flag]: path }),
            new Error(`--${flag} ${path}: ${reason}`),
          );
        }
      }
      assert.throws(
        () => readServerTls({ ...good, "tls-key": client.keyPath }),
        new Error(
          `--tls-key ${client.keyPath}: it is not the key of the certificate`,
        ),
      );
    });
  },
);
