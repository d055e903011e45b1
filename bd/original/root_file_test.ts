import assert from "node:assert/strict";
import { IntegrityError } from "../block_device.ts";
import { InUseError } from "../std.ts";
import type { TrustedState } from "../trusted_state.ts";
import { decodeState, encodeState, RootFile } from "./root_file.ts";

const state: TrustedState = {
  algorithm: "sha1",
  blockSize: 2048,
  leafCount: 12345,
  root: new Uint8Array(20).map((_, i) => i * 13),
};

async function withPath(
  test: (path: string) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/root`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a root file is one line of JSON in one sector", () => {
  const bytes = encodeState(state);
  assert.equal(bytes.length, 512);
  const text = new TextDecoder().decode(bytes);
  assert.equal(
    text.trimEnd(),
    '{"algorithm":"sha1","blockSize":2048,"leaves":12345,' +
      '"root":"000d1a2734414e5b6875828f9ca9b6c3d0ddeaf7"}',
  );
  assert.equal(text.indexOf("\n"), 511);
  assert.deepEqual(decodeState(bytes), state);
});

Deno.test("the longest state there can be fits", () => {
  const longest: TrustedState = {
    algorithm: "sha512",
    blockSize: 4096,
    leafCount: Number.MAX_SAFE_INTEGER,
    root: new Uint8Array(64).fill(255),
  };
  assert.deepEqual(decodeState(encodeState(longest)), longest);
});

Deno.test("anything but a root file is refused", () => {
  const good = new TextDecoder().decode(encodeState(state)).trimEnd();
  const wrong: [string, string][] = [
    ['"sha1"', '"sha2"'],
    ['"sha1"', '"sha224"'],
    ['"sha1"', '"toString"'],
    ["2048", "512"],
    ["2048", "2048.0"],
    ["2048", '"2048"'],
    ["12345", "0"],
    ["12345", "-1"],
    ["12345", "1.5"],
    ["12345", "1e3"],
    ["12345", "9007199254740993"],
    ["12345", "012345"],
    ["000d", "000D"],
    ["000d", "000"],
    ["000d", "000dff"],
    ["000d", "zz0d"],
    ["}", ',"more":1}'],
    ["}", ',"root":"000d1a2734414e5b6875828f9ca9b6c3d0ddeaf7"}'],
    ['{"algorithm":"sha1",', "{"],
    ["{", " {"],
    ["{", "[{"],
    ["}", ""],
    ["}", "}\0"],
  ];
  for (const [from, to] of wrong) {
    const text = good.replace(from, to).padEnd(511) + "\n";
    const bytes = new TextEncoder().encode(text);
    assert.equal(decodeState(bytes), null, text);
  }
  for (const text of ["null", "5", '"x"', "[]", "{}", ""]) {
    const bytes = new TextEncoder().encode(`${text.padEnd(511)}\n`);
    assert.equal(decodeState(bytes), null, text);
  }
  const bytes = encodeState(state);
  assert.equal(decodeState(bytes.subarray(0, 511)), null);
  assert.equal(decodeState(new Uint8Array(512)), null);
});

Deno.test("every byte of a root file counts", () => {
  const bytes = encodeState(state);
  for (let i = 0; i < bytes.length; i++) {
    const damaged = bytes.slice();
    damaged[i] ^= 1;
    const found = decodeState(damaged);
    // What is another state all the same is not found here, but by the tree.
    if (found) assert.notDeepEqual(found, state);
  }
});

Deno.test("a state that was stored is there when it is opened again", async () => {
  await withPath(async (path) => {
    const file = RootFile.open(path, { create: true });
    assert.equal(file.state, null);
    await file.store(state);
    assert.deepEqual(file.state, state);
    assert.throws(() => RootFile.open(path), InUseError);
    const next = { ...state, root: state.root.map((byte) => byte ^ 1) };
    file.write(next);
    file.close();
    file.close();
    assert.equal((await Deno.stat(path)).size, 512);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    const again = RootFile.open(path, { create: true, readOnly: true });
    assert.deepEqual(again.state, next);
    assert.throws(() => again.write(state), /read-only/);
    again.close();
  });
});

Deno.test("what is in the place of a root file is left alone", async () => {
  await withPath(async (path) => {
    for (const contents of ["", "x", "x".repeat(512), "x".repeat(5000)]) {
      await Deno.writeTextFile(path, contents);
      if (contents === "") RootFile.open(path, { create: true }).close();
      else {
        assert.throws(
          () => RootFile.open(path, { create: true }),
          (error) =>
            error instanceof IntegrityError && error.message.includes(path),
        );
      }
      assert.equal(await Deno.readTextFile(path), contents);
    }
    await Deno.remove(path);
    assert.throws(() => RootFile.open(path), Deno.errors.NotFound);
    assert.throws(() => RootFile.open(`${path}/x/y`, { create: true }), {
      code: "ENOENT",
    });
  });
});
