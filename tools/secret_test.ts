import assert from "node:assert/strict";
import { UsageError } from "./errors.ts";
import { parseSecretSource, readSecret } from "./secret.ts";

/** What `text` reads as, and the warnings. */
function read(text: string): { secret: string; warnings: string[] } {
  const warnings: string[] = [];
  const bytes = readSecret(text, {
    what: "-p",
    warn: (message) => warnings.push(message),
  });
  return { secret: new TextDecoder().decode(bytes), warnings };
}

async function withFile(
  contents: string | Uint8Array,
  test: (path: string) => void | Promise<void>,
): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    const bytes = typeof contents === "string"
      ? new TextEncoder().encode(contents)
      : contents;
    await Deno.writeFile(path, bytes);
    await test(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("a SECRET is a place with '=' or ':', or the secret itself", () => {
  const cases: [string, ReturnType<typeof parseSecretSource>][] = [
    ["file=a:b", { place: "file", path: "a:b" }],
    ["file:a=b\nc", { place: "file", path: "a=b\nc" }],
    ["env=NAME", { place: "env", name: "NAME" }],
    ["env:NAME", { place: "env", name: "NAME" }],
    ["fd=0", { place: "fd", descriptor: 0 }],
    ["fd:12", { place: "fd", descriptor: 12 }],
    ["secret", { place: "literal", text: "secret" }],
    ["FILE=x", { place: "literal", text: "FILE=x" }],
    ["files=x", { place: "literal", text: "files=x" }],
    ["file", { place: "literal", text: "file" }],
  ];
  for (const [text, source] of cases) {
    assert.deepEqual(parseSecretSource(text), source);
  }
  for (
    const text of ["file=", "env:", "fd=", "fd=-1", "fd=x", "fd=1e3", "env=a=b"]
  ) assert.throws(() => parseSecretSource(text), RangeError, text);
});

Deno.test("a literal is taken with a warning", () => {
  const { secret, warnings } = read("päss");
  assert.equal(secret, "päss");
  assert.deepEqual(warnings, [
    "-p: a password on the command line can be seen by others: " +
    "use file:, env: or fd:",
  ]);
});

Deno.test("one newline at the end of a file is not part of the secret", async () => {
  const cases = [
    ["secret", "secret"],
    ["secret\n", "secret"],
    ["secret\n\n", "secret\n"],
    ["\nsecret\r\n", "\nsecret\r"],
    ["x".repeat(64 << 10), "x".repeat(64 << 10)],
  ];
  for (const [contents, expected] of cases) {
    await withFile(contents, (path) => {
      assert.deepEqual(read(`file=${path}`), {
        secret: expected,
        warnings: [],
      });
    });
  }
  await withFile(Uint8Array.of(0, 255, 128, 10), (path) => {
    const bytes = readSecret(`file:${path}`, { what: "", warn: () => {} });
    assert.deepEqual(bytes, Uint8Array.of(0, 255, 128));
  });
});

Deno.test("a variable's value is a secret", () => {
  Deno.env.set("NEXTFS_TEST_SECRET", "värde\n");
  assert.deepEqual(read("env=NEXTFS_TEST_SECRET"), {
    secret: "värde",
    warnings: [],
  });
  Deno.env.delete("NEXTFS_TEST_SECRET");
  assert.throws(() => read("env:NEXTFS_TEST_SECRET"), /is not set/);
});

Deno.test("a secret that is empty, too long or absent is refused", async () => {
  for (const contents of ["", "\n", "x".repeat((64 << 10) + 1)]) {
    await withFile(contents, (path) => {
      assert.throws(() => read(`file=${path}`), UsageError);
    });
  }
  for (const text of ["", "file=/nonexistent/x", "file=/", "fd=987", "fd=x"]) {
    assert.throws(
      () => read(text),
      (error) => error instanceof UsageError && /^-p: /.test(error.message),
      text,
    );
  }
});

Deno.test({
  name: "descriptors of the process are read to their end",
  ignore: Deno.build.os === "windows",
  async fn(): Promise<void> {
    const module = new URL("./secret.ts", import.meta.url).href;
    const script = `import { readSecret } from "${module}";
      const what = "-p";
      const secret = readSecret(Deno.args[0], { what, warn: console.error });
      console.log(JSON.stringify(new TextDecoder().decode(secret)));`;
    await withFile(script, async (path) => {
      const config = new URL("../deno.json", import.meta.url).pathname;
      const run = `"$0" run -q -A --config "$1" --ext=ts "$2" "$3"`;
      const shell = async (text: string, secret: string): Promise<string> => {
        const { stdout } = await new Deno.Command("bash", {
          args: ["-c", text, Deno.execPath(), config, path, secret],
        }).output();
        return new TextDecoder().decode(stdout).trim();
      };
      assert.equal(await shell(`echo -n a | ${run}`, "fd=0"), '"a"');
      assert.equal(await shell(`${run} 7< <(echo b)`, "fd:7"), '"b"');
      assert.equal(await shell(`${run} 9<<< c`, "fd=9"), '"c"');
    });
  },
});
