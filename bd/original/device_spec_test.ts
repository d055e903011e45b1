import assert from "node:assert/strict";
import {
  type DeviceSpec,
  parseDeviceSpec,
  parseRootSource,
  readSecrets,
  wipeSecrets,
} from "./device_spec.ts";

const SHA256 = "00112233445566778899aabbccddeeff".repeat(2);
const root = parseRootSource(`${SHA256}@9`);

Deno.test("each device of the original is understood", () => {
  assert.deepEqual(parseDeviceSpec("bdstd"), {
    device: "bdstd",
    crypt: null,
    verity: null,
  });
  assert.deepEqual(parseDeviceSpec("bdcrypt:pass word:aes-256-cbc"), {
    device: "bdcrypt",
    crypt: { password: "pass word", cipher: "aes-256-cbc" },
    verity: null,
  });
  assert.deepEqual(parseDeviceSpec(`bdverity:a/t.tree:mac:${SHA256}@9`), {
    device: "bdverity",
    crypt: null,
    verity: { tree: "a/t.tree", password: "mac", root },
  });
  assert.deepEqual(
    parseDeviceSpec(`bdvericrypt:t:mac:${SHA256}@9:enc:aes-256-xts`),
    {
      device: "bdvericrypt",
      crypt: { password: "enc", cipher: "aes-256-xts" },
      verity: { tree: "t", password: "mac", root },
    },
  );
});

Deno.test("secrets and roots elsewhere are named with '=' or ':'", () => {
  for (const s of ["=", ":"]) {
    assert.deepEqual(
      parseDeviceSpec(
        `bdvericrypt:t:env${s}MAC:file${s}root:fd${s}3:aes-256-xts`,
      ),
      {
        device: "bdvericrypt",
        crypt: { password: "fd=3", cipher: "aes-256-xts" },
        verity: {
          tree: "t",
          password: "env=MAC",
          root: { kind: "file", path: "root" },
        },
      },
    );
  }
  const { crypt } = parseDeviceSpec("bdcrypt:file:a=b:aes-256-xts");
  assert.equal(crypt?.password, "file=a=b");
});

Deno.test("an empty password of a tree is no key, and of a cipher refused", () => {
  assert.equal(
    parseDeviceSpec(`bdverity:t::${SHA256}`).verity?.password,
    null,
  );
  for (const text of ["bdcrypt::aes-256-xts", "bdverity::mac:file=r"]) {
    assert.throws(() => parseDeviceSpec(text), /empty/);
  }
});

Deno.test("what is no device is refused", () => {
  for (
    const text of [
      "",
      "bdnone",
      "toString",
      "bdstd:",
      "bdcrypt",
      "bdcrypt:p",
      "bdcrypt:p:aes-128-xts",
      "bdcrypt:p:constructor",
      "bdcrypt:p:aes-256-xts:",
      "bdcrypt:a:b:aes-256-xts",
      "bdcrypt:file:aes-256-xts",
      "bdverity:t:mac",
      "bdverity:t:mac:file=",
      `bdverity:t:mac:${SHA256}@9:aes-256-xts`,
      `bdvericrypt:t:mac:${SHA256}@9:enc`,
    ]
  ) assert.throws(() => parseDeviceSpec(text), RangeError, text);
});

Deno.test("the length of a root says which hash it is of", () => {
  const lengths = {
    md5: 32,
    sha1: 40,
    sha224: 56,
    sha256: 64,
    sha384: 96,
    sha512: 128,
  };
  for (const [algorithm, length] of Object.entries(lengths)) {
    assert.deepEqual(parseRootSource("aB".repeat(length / 2)), {
      kind: "value",
      algorithm,
      root: new Uint8Array(length / 2).fill(0xab),
      leafCount: null,
    });
    const counted = parseRootSource(`${"ab".repeat(length / 2)}@257`);
    assert.equal(counted.kind === "value" && counted.leafCount, 257);
  }
});

Deno.test("what is no root is refused", () => {
  for (
    const text of [
      "",
      "file=",
      "ab",
      `${SHA256}0`,
      `${SHA256}00`,
      `0x${SHA256.slice(2)}`,
      `${SHA256}@`,
      `${SHA256}@0`,
      `${SHA256}@09`,
      `${SHA256}@-1`,
      `${SHA256}@1.5`,
      `${SHA256}@9007199254740992`,
      `${SHA256}@99999999999999999999`,
    ]
  ) assert.throws(() => parseRootSource(text), RangeError, text);
});

Deno.test("readSecrets() reads all or keeps none, and wipeSecrets() wipes", () => {
  const spec = parseDeviceSpec("bdvericrypt:t:mac:file=r:enc:aes-256-cbc");
  const read: [string, string][] = [];
  const made: Uint8Array[] = [];
  const reader = (secret: string, what: string): Uint8Array => {
    read.push([secret, what]);
    made.push(new TextEncoder().encode(secret));
    return made[made.length - 1];
  };
  const found: DeviceSpec = readSecrets(spec, reader);
  assert.deepEqual(read, [
    ["mac", "bdvericrypt's password of the tree"],
    ["enc", "bdvericrypt's password"],
  ]);
  assert.deepEqual(found.crypt?.password, made[1]);
  wipeSecrets(found);
  for (const bytes of made) assert.ok(bytes.every((byte) => byte === 0));

  made.length = 0;
  assert.throws(() =>
    readSecrets(spec, (secret, what) => {
      if (secret === "enc") throw new Error("unreadable");
      return reader(secret, what);
    }), /unreadable/);
  assert.deepEqual(made, [new Uint8Array(3)]);
});
