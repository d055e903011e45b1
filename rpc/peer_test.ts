import { equal, match, throws } from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { must, testWith, withTempDir } from "../tests/support/tools.ts";
import { canonicalName } from "./distinguished_name.ts";
import { describeCertificate, formatFingerprint } from "./peer.ts";

/** Makes a certificate with a subject as openssl's `-subj` takes it. */
async function certify(dir: string, subject: string): Promise<string> {
  const path = `${dir}/cert.pem`;
  await must("openssl", "req", "-x509", "-newkey", "ec", "-nodes", ...[
    ...["-pkeyopt", "ec_paramgen_curve:P-256", "-days", "3", "-utf8"],
    ...["-multivalue-rdn", "-subj", subject],
    ...["-keyout", `${dir}/key.pem`, "-out", path],
  ]);
  return path;
}

/** Subjects for openssl, and the same as they are written here. */
const SUBJECTS: readonly (readonly [string, string])[] = [
  ["/CN=alice", "CN=alice"],
  ["/C=DE/O=Ex, Inc./OU=x/CN=a b", "CN=a b,OU=x,O=Ex\\, Inc.,C=DE"],
  ["/OU=b+OU=a+CN=x", "CN=x+OU=a+OU=b"],
  ["/CN= lead;<>\\\\", "CN=\\ lead\\;\\<\\>\\\\"],
  ["/CN=trail #", "CN=trail #"],
  ["/CN=#hash\\+", "CN=\\#hash\\+"],
  ['/O=Zoë "Z"/CN=字', 'CN=字,O=Zoë \\"Z\\"'],
  ["/CN=a\tb\u202ec", "CN=a\\09b\\e2\\80\\aec"],
  ["/DC=org/UID=u1/serialNumber=1", "serialNumber=1,UID=u1,DC=org"],
  ["/emailAddress=a@b.c", "emailAddress=a@b.c"],
  ["/title=Dr", "2.5.4.12=#0c024472"],
  ["/", ""],
];

await testWith(["openssl"], "a certificate is described", async () => {
  await withTempDir(async (dir) => {
    for (const [given, expected] of SUBJECTS) {
      const path = await certify(dir, given);
      const { raw } = new X509Certificate(await Deno.readTextFile(path));
      const { subject, fingerprint } = describeCertificate(raw);
      equal(subject, expected);
      if (subject !== "") equal(canonicalName(subject), subject);
      const shown = await must("openssl", "x509", "-noout", ...[
        ...["-fingerprint", "-sha256", "-in", path],
      ]);
      match(shown, /^sha256 Fingerprint=/);
      equal(shown.trim().split("=")[1], formatFingerprint(fingerprint));
    }
  });
});

Deno.test("what is no certificate is refused, however it ends", () => {
  const bytes = Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30, 0x02);
  for (let length = 0; length <= bytes.length; length++) {
    throws(() => describeCertificate(bytes.subarray(0, length)), {
      name: "DerError",
    });
  }
  throws(() => describeCertificate(Uint8Array.of(0x30, 0x80, 0, 0)), {
    name: "DerError",
  });
});

Deno.test("canonicalName() takes other ways to write a name", () => {
  const ways: [string, string][] = [
    ["cn = Alice , o=Ex\\2c Inc.", "CN=Alice,O=Ex\\, Inc."],
    ["OU=b + OU=a", "OU=a+OU=b"],
    ["2.5.4.3=x", "CN=x"],
    ["CN=#0C05616C696365", "CN=alice"],
    ["CN=#130161", "CN=a"],
    ["CN=#1e020061", "CN=#1e020061"],
    ["CN=\\c3\\a9", "CN=é"],
    ["CN=a\\ ", "CN=a\\ "],
    ["CN=a ", "CN=a"],
    ["CN=", "CN="],
  ];
  for (const [given, expected] of ways) {
    equal(canonicalName(given), expected, given);
  }
});

Deno.test("canonicalName() refuses what is no name", () => {
  const wrong = [
    ...["", "alice", "CN", "=x", "CN=a,", "FOO=x", "/CN=a", "CN=a\\"],
    ...["1.2.3=x", "CN=#", "CN=#0", "CN=#0c0561", "CN=#0c016161", "CN=\\ff"],
  ];
  for (const text of wrong) {
    throws(() => canonicalName(text), { name: "NameError" }, text);
  }
});
