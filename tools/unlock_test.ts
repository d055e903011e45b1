import assert from "node:assert/strict";
import { withTempDir } from "../tests/support/tools.ts";
import { defaults, type Values } from "./cli.ts";
import { UsageError } from "./errors.ts";
import {
  checkSecretFlags,
  NEW_SECRET,
  readNewSecret,
  readSecret,
  scryptFor,
  UNLOCK,
} from "./unlock.ts";

type UnlockValues = Values<typeof UNLOCK>;
type NewValues = Values<typeof NEW_SECRET>;

const ASK = { prompt: "Passphrase: " };
const NAMED = defaults(UNLOCK);

function read(values: Partial<UnlockValues>): ReturnType<typeof readSecret> {
  return readSecret({ ...NAMED, ...values }, ASK);
}

async function refuses(
  values: Partial<UnlockValues>,
  message: RegExp,
): Promise<void> {
  await assert.rejects(
    async () => await read(values),
    (error) => {
      assert(error instanceof UsageError);
      assert.match(error.message, message);
      return true;
    },
  );
}

/** The passphrase that a file of `contents` holds. */
function fromFile(contents: string | Uint8Array): Promise<string> {
  return withTempDir(async (dir) => {
    const passfile = `${dir}/secret`;
    const bytes = typeof contents === "string"
      ? new TextEncoder().encode(contents)
      : contents;
    await Deno.writeFile(passfile, bytes);
    const secret = await read({ passfile });
    assert.equal(secret.kind, "passphrase");
    return new TextDecoder().decode(secret.bytes);
  });
}

Deno.test("a passphrase file loses one newline at its end, and no more", async () => {
  for (const text of ["secret", "two words", " x\t", "a\nb", "ü", "x\n"]) {
    assert.equal(await fromFile(text + "\n"), text);
    assert.equal(await fromFile(text), text.replace(/\n$/, ""));
  }
  assert.equal(await fromFile("x\r\n"), "x\r");
  const most = "x".repeat(65536);
  assert.equal(await fromFile(most + "\n"), most);
});

Deno.test("an empty passphrase and one that is too long are refused", async () => {
  for (const empty of ["", "\n"]) {
    await assert.rejects(fromFile(empty), /secret: it is empty$/);
  }
  for (const length of [65537, 65538, 100_000]) {
    await assert.rejects(
      fromFile("x".repeat(length)),
      /secret: longer than 65536 bytes$/,
    );
  }
  await refuses({ passfile: "/none/such" }, /^\/none\/such: No such file or/);
  await refuses({ passfile: "/" }, /^\/: Is a directory$/);
});

Deno.test("a key file is taken as it is, and is long enough", () =>
  withTempDir(async (dir) => {
    const keyfile = `${dir}/key`;
    for (const length of [32, 33, 65536]) {
      const bytes = new Uint8Array(length).fill(0x0a);
      await Deno.writeFile(keyfile, bytes);
      assert.deepEqual(await read({ keyfile }), { kind: "keyfile", bytes });
    }
    for (const length of [0, 31, 65537, 70_000]) {
      await Deno.writeFile(keyfile, new Uint8Array(length));
      await refuses({ keyfile }, /key: a key file has 32 to 65536 bytes/);
    }
    await refuses({ keyfile: `${dir}/none` }, /none: No such file/);
  }));

Deno.test("a program prints the passphrase; its words are its own", async () => {
  const extpass = ["printf", "%s\\n", "a b", "$HOME"];
  const { kind, bytes } = await read({ extpass });
  assert.equal(kind, "passphrase");
  assert.equal(new TextDecoder().decode(bytes), "a b\n$HOME");
  await refuses({ extpass: ["true"] }, /^true: it is empty$/);
  await refuses({ extpass: ["false"] }, /^false: .* ended with code 1$/);
  await refuses({ extpass: ["/none/such"] }, /^\/none\/such: /);
  await refuses(
    { extpass: ["head", "-c", "70000", "/dev/zero"] },
    /^head: longer than 65536 bytes$/,
  );
});

Deno.test("several places for one secret exclude each other", () => {
  const cases: [Partial<UnlockValues & NewValues>, RegExp][] = [
    [{ keyfile: "a", passfile: "b" }, /^--keyfile and --passfile exclude/],
    [{ passfile: "a", extpass: ["b"] }, /^--passfile and --extpass exclude/],
    [
      { "new-keyfile": "a", "new-extpass": ["b"] },
      /^--new-keyfile and --new-extpass exclude each other: give one of them$/,
    ],
    [{ passfile: "-", "new-passfile": "-" }, /^Only one .* standard input$/],
  ];
  const none = { ...defaults(UNLOCK), ...defaults(NEW_SECRET) };
  for (const [values, message] of cases) {
    assert.throws(() => checkSecretFlags({ ...none, ...values }), {
      name: "UsageError",
      message,
    });
  }
  checkSecretFlags({ ...none, passfile: "-", "new-keyfile": "a" });
});

Deno.test("a new secret comes from the flags for new ones", () =>
  withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/new`, "new\n");
    const values = { ...defaults(NEW_SECRET), "new-passfile": `${dir}/new` };
    const { bytes } = await readNewSecret(values, ASK);
    assert.equal(new TextDecoder().decode(bytes), "new");
  }));

Deno.test("a cost belongs to a passphrase", () => {
  const bytes = new Uint8Array(32);
  const cost = { scryptn: 10 };
  assert.deepEqual(scryptFor({ kind: "passphrase", bytes }, cost), {
    n: 1024,
    r: 8,
    p: 1,
  });
  assert.equal(scryptFor({ kind: "keyfile", bytes }, cost), undefined);
});
