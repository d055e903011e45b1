import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyPairKeyObjectResult } from "node:crypto";
import { certificates, serverTls } from "../tests/support/certificates.ts";
import { testWith } from "../tests/support/tools.ts";
import { checkTlsOptions } from "./tls_check.ts";
import { type TlsOptions, TlsOptionsError } from "./tls_options.ts";

/** A certificate of version 1, from 2020 to 2120, made by openssl ca. */
const VERSION_ONE = `-----BEGIN CERTIFICATE-----
MIIBAzCBqwIBAzAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJjYTAgFw0yMDAxMDEw
MDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowDjEMMAoGA1UEAwwDb2xkMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEPToZAmyEIMDHDhbAurYIeOkAoIgXQCazVP7XAlEI
x3+TRh09oDtBHcOf+hti5X8YR8+D+mfb4ms0xNTN6I9O1jAKBggqhkjOPQQDAgNH
ADBEAiAUl5Qf/n44AO2WPIMjde/ZfAcWO1xjXxg/vSxoynDdhQIgWP8V/ej7ndr9
lHAJb5+TZJdsqsuFxJuvjfp58/eYjxc=
-----END CERTIFICATE-----
`;

function assertRefuses(
  options: TlsOptions,
  option: keyof TlsOptions,
  reason: RegExp,
): void {
  assert.throws(() => checkTlsOptions(options), (error) => {
    assert.ok(error instanceof TlsOptionsError, String(error));
    assert.equal(error.option, option);
    assert.match(error.reason, reason);
    assert.match(error.message, /^Cannot use the .*: /);
    return true;
  });
}

function test(name: string, fn: () => Promise<void>): Promise<void> {
  return testWith(["openssl"], name, fn);
}

await test("checkTlsOptions() accepts what belongs together", async () => {
  const good = await serverTls();
  checkTlsOptions(good);
  const { ca, otherCa } = await certificates();
  checkTlsOptions({ ...good, ca: `${ca.cert}\nA comment\n${otherCa.cert}` });
  checkTlsOptions({ ...good, cert: good.cert + ca.cert });
});

await test("checkTlsOptions() says which text has no certificate", async () => {
  const good = await serverTls();
  for (const option of ["ca", "cert"] as const) {
    for (const text of ["", "garbage", good.key]) {
      assertRefuses(
        { ...good, [option]: text },
        option,
        /is no certificate in/,
      );
    }
    const cut = good.cert.replace(/\n.{20}/, "\n");
    assertRefuses(
      { ...good, [option]: cut },
      option,
      /certificate in it is da/,
    );
  }
  const second = `${good.ca}${good.cert.replace(/\n.{20}/, "\n")}`;
  assertRefuses({ ...good, ca: second }, "ca", /the certificate 2 in it is/);
});

await test("checkTlsOptions() refuses what TLS 1.3 cannot use", async () => {
  const good = await serverTls();
  const { client, expired } = await certificates();
  assertRefuses({ ...good, cert: expired.cert }, "cert", /^it has expired: /);
  assertRefuses({ ...good, cert: VERSION_ONE }, "cert", /of version 1, which/);
  assertRefuses({ ...good, key: client.key }, "key", /not the key of the cert/);
  for (const text of ["", "garbage", good.cert]) {
    assertRefuses({ ...good, key: text }, "key", /there is no private key in/);
  }
  const pem = ({ privateKey }: KeyPairKeyObjectResult): string =>
    privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  for (
    const [key, kind] of [
      [pem(generateKeyPairSync("ec", { namedCurve: "secp256k1" })), "ec"],
      [pem(generateKeyPairSync("rsa", { modulusLength: 1024 })), "rsa"],
      [pem(generateKeyPairSync("x25519")), "x25519"],
    ]
  ) {
    const reason = new RegExp(
      `kind that can be used \\(${kind}\\); take an EC`,
    );
    assertRefuses({ ...good, key }, "key", reason);
  }
});

await test("checkTlsOptions() tells of a key's passphrase", async () => {
  const good = await serverTls();
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const locked = privateKey.export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "x",
  }) as string;
  assertRefuses(
    { ...good, key: locked },
    "key",
    /it has a passphrase; take it/,
  );
});
