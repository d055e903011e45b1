import assert from "node:assert/strict";
import { Filesystem } from "../../fs/mod.ts";
import { DEVICES } from "../../bd/volume/descriptor.ts";
import { openVolume } from "../../bd/volume/volume.ts";
import { assertClean, withTempDir } from "../support/tools.ts";
import { contents, copyDirectory, names } from "../support/volumes.ts";
import { nextfs, ok, writeTree } from "./program.ts";

const FILES = { "hello": "hello, world\n", "d/deep/file": "deep".repeat(5000) };

/** Asks for the key file at `path`. */
const asks = (path: string) => async () =>
  ({ kind: "keyfile", bytes: await Deno.readFile(path) }) as const;

/** Visits a directory with key files `a` and `b`, and a tree of files. */
function withKeys(visit: (dir: string) => Promise<void>): Promise<void> {
  return withTempDir(async (dir) => {
    for (const name of ["a", "b"]) {
      await Deno.writeFile(
        `${dir}/${name}`,
        crypto.getRandomValues(new Uint8Array(32)),
      );
    }
    await writeTree(`${dir}/tree`, FILES);
    await visit(dir);
  });
}

/** Runs a command that must fail with `code` and one line on stderr. */
async function fails(
  args: string[],
  code: number,
  message: RegExp,
): Promise<void> {
  const run = await nextfs(args);
  assert.match(run.stderr, message);
  assert.equal(run.code, code, run.stderr);
  assert.equal(run.stderr.trimEnd().split("\n").length, 1, run.stderr);
}

/** Asserts that the volume holds the tree, as a filesystem that is clean. */
async function assertHolds(path: string, key: string): Promise<void> {
  const options = { readOnly: true, secret: asks(key) };
  const volume = await openVolume(path, options);
  await Deno.writeFile(`${path}.img`, contents(volume));
  const files = Filesystem.open(volume.device, { readOnly: true });
  try {
    const hello = files.lookup(2, "hello");
    const bytes = new Uint8Array(100);
    const text = bytes.subarray(0, files.read(hello, 0, bytes));
    assert.equal(new TextDecoder().decode(text), FILES.hello);
  } finally {
    await files.close();
  }
  await assertClean(`${path}.img`);
}

for (const device of DEVICES) {
  Deno.test(`init makes a volume with device ${device} of a directory`, () =>
    withKeys(async (dir) => {
      const path = `${dir}/v`;
      const key = device === "std" ? [] : ["--keyfile", `${dir}/a`];
      const from = ["--from", `${dir}/tree`, "-b", "1024", "-L", "mine"];
      await ok(["init", "--device", device, ...from, ...key, path]);
      await assertHolds(path, `${dir}/a`);
      const info = JSON.parse(await ok(["info", "--json", ...key, path]));
      assert.equal(info.device, device);
      assert.equal(info.blockSize, 1024);
      assert.equal(info.size, info.files.image.size);
      assert.equal(info.verified, device !== "std");
      assert.equal(info.keys.length, device === "std" ? 0 : 1);
      for (const { salt, wrapped } of info.keys) {
        assert.deepEqual([salt, wrapped], [undefined, undefined]);
      }
    }));
}

Deno.test("init refuses what makes no volume, and leaves nothing behind", () =>
  withKeys(async (dir) => {
    const path = `${dir}/new`;
    const key = ["--keyfile", `${dir}/a`];
    const cases: [string[], number, RegExp][] = [
      [[...key, path], 2, /An empty volume needs a size: --size 1G$/m],
      [["-s", "1M", ...key, dir], 1, /already exists; a new volume needs/],
      [["-s", "1M", "--device", "std", ...key, path], 2, /std has no key$/m],
      [["-s", "1M", "--device", "raid", path], 2, /'raid' is not one of std/],
      [["-s", "1M", "--scryptn", "21", path], 2, /from 10 to 20$/m],
      [["-s", "1K", ...key, path], 1, /0 blocks; use 1 to/],
      [["-s", "8K", ...key, path], 1, /nextfs init: /],
      [["-s", "7P", ...key, path], 1, /use 1 to|cannot hold/],
      [["-s", "1M", ...key, `${dir}/no/v`], 1, /no\/v: No such file or dir/],
      [["--from", `${dir}/a`, ...key, path], 1, /\/a: Not a directory$/m],
    ];
    for (const [args, code, message] of cases) {
      await fails(["init", ...args], code, message);
    }
    assert.deepEqual(names(dir), ["a", "b", "tree"]);
  }));

Deno.test("keys are changed, listed and removed", () =>
  withKeys(async (dir) => {
    const path = `${dir}/v`;
    const [a, b] = ["a", "b"].map((name) => ["--keyfile", `${dir}/${name}`]);
    const newB = ["--new-keyfile", `${dir}/b`];
    await ok(["init", "-s", "1M", ...a, path]);
    await ok(["key", "add", ...a, ...newB, "--key-label", "spare\x1b", path]);
    const list = await ok(["key", "list", path]);
    assert.match(list, /^ 0: keyfile, made 20.*Z\n 1: keyfile.*, spare\S+\n/);
    assert(!list.includes("\x1b"), "a label cannot reach the terminal");
    assert.match(list, /\nNot verified: /);
    assert(!/verified/.test(await ok(["key", "list", ...b, path])));
    await ok(["key", "remove", ...b, path, "0"]);
    await fails(["info", ...a, path], 12, /Cannot open .*: wrong key file$/m);
    await fails(["key", "remove", ...b, path, "1"], 1, /slot 1 is the last/);
    await fails(["key", "remove", ...b, path, "7"], 1, /no key slot 7;/);
    const old = await Deno.readFile(`${path}/volume.json`);
    await ok(["passwd", ...b, "--new-keyfile", `${dir}/a`, path]);
    await fails(["key", "list", ...b, path], 12, /wrong key file$/m);
    await Deno.writeFile(`${path}/volume.json`, old);
    await fails(["info", ...b, path], 13, /an old copy was put back$/m);
    for (
      const [args, message] of [
        [["key", "eat", path], /'eat' is not one of list, add, remove$/m],
        [["key", "remove", path], /Which slot\?/],
        [["key", "remove", path, "x"], /'x' is not a whole number/],
        [["key", "list", path, "1"], /Unexpected operand '1'/],
        [["key", "list", ...newB, path], /'key list' adds nothing/],
      ] as [string[], RegExp][]
    ) await fails(args, 2, message);
  }));

Deno.test("rekey keeps files, and loses keys only by consent", () =>
  withKeys(async (dir) => {
    const path = `${dir}/v`;
    const a = ["--keyfile", `${dir}/a`];
    await ok(["init", "--from", `${dir}/tree`, ...a, path]);
    await ok(["key", "add", ...a, "--new-keyfile", `${dir}/b`, path]);
    const before = JSON.parse(await ok(["info", "--json", path]));
    await fails(["rekey", ...a, path], 1, /has 1 more key slot, .*--only-this/);
    await ok(["rekey", ...a, "--only-this-key", path]);
    await assertHolds(path, `${dir}/a`);
    const after = JSON.parse(await ok(["info", "--json", path]));
    assert.notEqual(after.id, before.id);
    assert.equal(after.keys.length, 1);
    await ok(["init", "--device", "std", "-s", "1M", `${dir}/std`]);
    await fails(["info", ...a, `${dir}/std`], 13, /has no key, but one is/);
    await fails(["rekey", ...a, `${dir}/std`], 1, /has no key: its device is/);
    await fails(["passwd", ...a, `${dir}/std`], 1, /has no key: its device is/);
  }));

Deno.test("a damaged volume is told from a wrong key, in one line", () =>
  withKeys(async (dir) => {
    const key = ["--keyfile", `${dir}/a`];
    await ok(["init", "-s", "1M", ...key, `${dir}/v`]);
    await ok(["init", "-s", "1M", ...key, `${dir}/other`]);
    const edit = (change: (text: string) => string) => async (path: string) => {
      const file = `${path}/volume.json`;
      await Deno.writeTextFile(file, change(await Deno.readTextFile(file)));
    };
    const cases: [number, RegExp, (path: string) => Promise<void>][] = [
      [
        13,
        /its image has 1048575 bytes, and the descriptor says 1048576: it/,
        (path) => Deno.truncate(`${path}/image`, 1048575),
      ],
      [
        13,
        /its tree has 4096 bytes, and the descriptor says/,
        (path) => Deno.truncate(`${path}/tree`, 4096),
      ],
      [
        13,
        /the anchor has 0 bytes in place of 8192/,
        (path) => Deno.truncate(`${path}/anchor`, 0),
      ],
      [13, /its anchor is missing/m, (path) => Deno.remove(`${path}/anchor`)],
      [
        13,
        /its journal has 5 bytes, and the descriptor says/,
        (path) => Deno.truncate(`${path}/journal`, 5),
      ],
      [
        13,
        /the journal is not authentic: .* another volume's$/m,
        (path) => Deno.copyFile(`${dir}/other/journal`, `${path}/journal`),
      ],
      [
        13,
        /the anchor is not authentic: .* another volume's$/m,
        (path) => Deno.copyFile(`${dir}/other/anchor`, `${path}/anchor`),
      ],
      [
        13,
        /made by a newer nextfs: format 3, and this one knows 2$/m,
        edit((text) => text.replace('"nextfs": 2', '"nextfs": 3')),
      ],
      [
        13,
        /the descriptor is damaged: color: unknown field$/m,
        edit((text) => text.replace("{", '{"color": "red",')),
      ],
      [
        13,
        /the descriptor is not authentic: it was changed$/m,
        edit((text) => text.replace('"vericrypt"', '"crypt"')),
      ],
      [
        13,
        /the descriptor is damaged: not JSON$/m,
        edit((text) => text.slice(0, 100)),
      ],
      [
        12,
        /wrong key file$/m,
        edit((text) => text.replace(/("salt": ")(..)/, "$100")),
      ],
      [10, /not a volume/, (path) => Deno.remove(`${path}/volume.json`)],
    ];
    for (const [code, message, damage] of cases) {
      await copyDirectory(`${dir}/v`, `${dir}/damaged`);
      await damage(`${dir}/damaged`);
      await fails(["rekey", ...key, `${dir}/damaged`], code, message);
      await Deno.remove(`${dir}/damaged`, { recursive: true });
    }
    await fails(["info", `${dir}/none`], 10, /none: /);
  }));

Deno.test("a passphrase is not asked of scrypt at any price, or for too little", () =>
  withKeys(async (dir) => {
    const path = `${dir}/v`;
    await Deno.writeTextFile(`${dir}/secret`, "secret");
    const secret = ["--passfile", `${dir}/secret`];
    await ok(["init", "-s", "1M", ...secret, "--scryptn", "11", path]);
    const file = `${path}/volume.json`;
    const text = await Deno.readTextFile(file);
    const cases: [number, number, RegExp][] = [
      [2 ** 10, 12, /wrong passphrase$/m],
      [2 ** 9, 13, /keys\[0\]\.scrypt: n is 512: not a power of two from 1024/],
      [2 ** 21, 13, /keys\[0\]\.scrypt: .* of memory, more than 1 GiB$/m],
      [2 ** 60, 13, /keys\[0\]\.scrypt\.n: not a whole number/],
    ];
    for (const [n, code, message] of cases) {
      await Deno.writeTextFile(file, text.replace('"n": 2048', `"n": ${n}`));
      await fails(["info", ...secret, path], code, message);
    }
  }));

Deno.test("a volume of a tebibyte takes seconds and little disk", () =>
  withKeys(async (dir) => {
    const path = `${dir}/v`;
    const key = ["--keyfile", `${dir}/a`];
    const began = performance.now();
    await ok(["init", "-s", "1T", ...key, path]);
    const seconds = (performance.now() - began) / 1000;
    const info = JSON.parse(await ok(["info", "--json", ...key, path]));
    assert.equal(info.size, 2 ** 40);
    const stored = info.files.image.stored + info.files.tree.stored;
    const text = `${seconds.toFixed(1)} s, ${stored >> 20} MiB`;
    console.log(`init -s 1T: ${text}`);
    assert(stored < 256 << 20 && seconds < 60, text);
  }));
