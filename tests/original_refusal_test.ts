/**
 * Images of the original server that must not be opened: wrong secrets, wrong
 * roots, and files that somebody changed.
 */

import assert from "node:assert/strict";
import { IntegrityError } from "../bd/block_device.ts";
import { WrongKeyError } from "../bd/keys/errors.ts";
import { InUseError } from "../bd/mod.ts";
import { decodeState, encodeState } from "../bd/original/root_file.ts";
import type { TrustedState } from "../bd/trusted_state.ts";
import {
  BLOCKS,
  change,
  MAC,
  open,
  readHello,
  type Sample,
  withSample,
} from "./support/original_sample.ts";
import { testWith } from "./support/tools.ts";

await testWith(["python3"], "a wrong password opens nothing", async () => {
  await withSample({ cipher: "aes-256-xts" }, (sample) => {
    assert.throws(() => open(sample, "", { password: "no" }), WrongKeyError);
    const other: Sample = { ...sample, cipher: "aes-256-cbc" };
    assert.throws(() => open(other), /does not decrypt to an ext2 superblock/);
    open(sample).device.close();
  });
  await withSample({ cipher: "aes-256-cbc", key: MAC }, (sample) => {
    assert.throws(
      () => open(sample, undefined, { password: "no" }),
      WrongKeyError,
    );
    for (const mac of ["no", ""]) {
      assert.throws(() => open(sample, undefined, { mac }), IntegrityError);
    }
    open(sample).device.close();
  });
});

await testWith(
  ["python3"],
  "a wrong root, hash or number of leaves opens nothing",
  () =>
    withSample({ key: MAC }, async (sample) => {
      const { root, dir } = sample;
      const flipped = (root[0] === "0" ? "1" : "0") + root.slice(1);
      const wrong = [
        `${flipped}@${BLOCKS}`,
        flipped,
        `${root}@${BLOCKS - 1}`,
        `${root}@${BLOCKS / 2}`,
        `${root}@${2 * BLOCKS}`,
        `${root}@1`,
        `${root}@9007199254740991`,
        `${root.slice(0, 56)}@${BLOCKS}`,
        root.slice(0, 32),
      ];
      const rootFile = `${dir}/root`;
      for (const text of wrong) {
        assert.throws(() => open(sample, text, { rootFile }), IntegrityError);
      }
      await assert.rejects(Deno.stat(rootFile), Deno.errors.NotFound);
      open(sample).device.close();
    }),
);

await testWith(
  ["python3"],
  "a tree or image that was cut short or extended opens nothing",
  () =>
    withSample({ key: MAC }, async (sample) => {
      const { dir, root } = sample;
      for (const name of ["tree", "image"]) {
        const path = `${dir}/${name}`;
        const good = await Deno.readFile(path);
        for (const change of [-1024, -32, -1, 1, 32, 64, 1024]) {
          await Deno.truncate(path, good.length + change);
          for (const given of [`${root}@${BLOCKS}`, root]) {
            assert.throws(() => open(sample, given), IntegrityError);
          }
        }
        await Deno.writeFile(path, good);
      }
      open(sample).device.close();
    }),
);

await testWith(
  ["python3"],
  "a number of leaves keeps junk in the tree from moving blocks",
  () =>
    withSample({ key: MAC }, async (sample) => {
      // Eight more leaves: every node keeps its index and its hash, but leaf
      // 0 is now at the place where leaf 8 was.
      const { dir, root } = sample;
      const image = await Deno.readFile(`${dir}/image`);
      const { size } = await Deno.stat(`${dir}/tree`);
      const moved = new Uint8Array(1024 * (BLOCKS + 8));
      moved.set(image.subarray(8 * 1024));
      await Deno.writeFile(`${dir}/image`, moved);
      await Deno.truncate(`${dir}/tree`, size + 16 * 32);
      assert.throws(() => open(sample), /not a sha256 tree of 128 leaves/);
      // What the warning warns of: without the number, it verifies.
      const { device, warnings } = open(sample, root);
      assert.equal(warnings.length, 1);
      const block = new Uint8Array(1024);
      device.read(0, block);
      assert.deepEqual(block, image.slice(8 * 1024, 9 * 1024));
      device.close();
    }),
);

await testWith(
  ["python3"],
  "a root without a number of leaves is taken with a warning",
  () =>
    withSample({ key: null }, ({ root, ...sample }) => {
      const image = open({ root, ...sample }, root);
      assert.equal(image.warnings.length, 1);
      assert.match(image.warnings[0], /HEX@LEAVES/);
      readHello(image.device);
      image.device.close();
      assert.equal(image.state()?.leafCount, BLOCKS);
    }),
);

await testWith(
  ["python3"],
  "a short last block is refused, except where there are no layers",
  async () => {
    for (const cipher of ["aes-256-xts", "aes-256-cbc"] as const) {
      await withSample({ cipher, blockSize: 2048 }, async (sample) => {
        await Deno.truncate(`${sample.dir}/image`, 2048 * BLOCKS + 1024);
        assert.throws(() => open(sample), /not a whole number of blocks/);
      });
    }
    await withSample({}, async (sample) => {
      await Deno.truncate(`${sample.dir}/image`, 1024 * BLOCKS + 1);
      const { device } = open(sample);
      assert.equal(device.blockCount, BLOCKS);
      readHello(device);
      device.close();
    });
  },
);

await testWith(
  ["python3"],
  "an image put back as it was is refused by the root file",
  () =>
    withSample({ key: MAC }, async (sample) => {
      const { dir, root } = sample;
      const rootFile = `${dir}/root`;
      for (const name of ["image", "tree"]) {
        await Deno.copyFile(`${dir}/${name}`, `${dir}/old ${name}`);
      }
      await change(open(sample, undefined, { rootFile }), "new");
      // The root on the command line is the old one, and the file goes first.
      const image = open(sample, undefined, { rootFile });
      assert.match(image.warnings[0], /taken to be newer/);
      readHello(image.device, "new0");
      image.device.close();
      for (const name of ["image", "tree"]) {
        await Deno.copyFile(`${dir}/old ${name}`, `${dir}/${name}`);
      }
      for (const given of [`file=${rootFile}`, `${root}@${BLOCKS}`]) {
        assert.throws(() => open(sample, given, { rootFile }), IntegrityError);
      }
      open(sample).device.close();
    }),
);

await testWith(
  ["python3"],
  "a damaged root file opens nothing and is left as it is",
  () =>
    withSample({ key: MAC }, async (sample) => {
      const { dir, root } = sample;
      const rootFile = `${dir}/root`;
      open(sample, undefined, { rootFile }).device.close();
      const good = await Deno.readFile(rootFile);
      assert.deepEqual(decodeState(good)?.root.toHex(), root);
      const torn = good.slice();
      torn.fill(0, 100);
      for (const bad of [torn, good.subarray(0, 100), new Uint8Array(512)]) {
        await Deno.writeFile(rootFile, bad);
        for (const given of [`file=${rootFile}`, `${root}@${BLOCKS}`]) {
          assert.throws(
            () => open(sample, given, { rootFile }),
            /is not a root file, or was damaged/,
          );
        }
        assert.deepEqual(await Deno.readFile(rootFile), bad.slice());
      }
      await Deno.writeFile(rootFile, new Uint8Array(0));
      assert.throws(() => open(sample, `file=${rootFile}`), /is empty/);
      // One that was prepared, but not written yet.
      open(sample, undefined, { rootFile }).device.close();
      assert.deepEqual(await Deno.readFile(rootFile), good);
    }),
);

await testWith(
  ["python3"],
  "a root file of another image opens nothing",
  () =>
    withSample({ key: MAC, blockSize: 2048 }, async (sample) => {
      const { dir, root } = sample;
      const state: TrustedState = {
        algorithm: "sha256",
        blockSize: 2048,
        leafCount: BLOCKS,
        root: Uint8Array.fromHex(root),
      };
      const others: TrustedState[] = [
        { ...state, blockSize: 1024 },
        { ...state, leafCount: 2 * BLOCKS },
        { ...state, root: new Uint8Array(32) },
      ];
      const given = `file=${dir}/root`;
      for (const other of others) {
        await Deno.writeFile(`${dir}/root`, encodeState(other));
        assert.throws(() => open(sample, given), IntegrityError);
      }
      await Deno.writeFile(`${dir}/root`, encodeState(state));
      open(sample, given).device.close();
    }),
);

await testWith(
  ["python3"],
  "what is opened to be read changes nothing",
  () =>
    withSample({ key: MAC, cipher: "aes-256-xts" }, async (sample) => {
      const { dir } = sample;
      const rootFile = `${dir}/root`;
      const options = { readOnly: true, rootFile };
      const images = [1, 2].map(() => open(sample, undefined, options));
      for (const { device } of images) {
        assert.equal(device.readOnly, true);
        readHello(device);
        await device.flush();
      }
      assert.throws(() => open(sample), InUseError);
      for (const { device } of images) device.close();
      await assert.rejects(Deno.stat(rootFile), Deno.errors.NotFound);
      const writer = open(sample, undefined, { rootFile });
      assert.throws(() => open(sample, undefined, options), InUseError);
      writer.device.close();
      // Every lock is given up.
      open(sample, undefined, { rootFile }).device.close();
    }),
);

await testWith(
  ["python3"],
  "files that are missing are named",
  async () => {
    await withSample({ key: MAC }, async (sample) => {
      const { dir } = sample;
      assert.throws(() => open(sample, `file=${dir}/none`), /none: No such/);
      await Deno.remove(`${dir}/tree`);
      assert.throws(() => open(sample), /tree: No such file or directory/);
      await Deno.mkdir(`${dir}/tree`);
      assert.throws(() => open(sample), /not a regular file/);
    });
    await withSample({ cipher: "aes-256-xts" }, async (sample) => {
      await Deno.truncate(`${sample.dir}/image`, 100);
      assert.throws(() => open(sample), /too short to hold an ext2/);
    });
  },
);

await testWith(
  ["python3"],
  "a bad block fails what touches it, and is told once",
  () =>
    withSample({ key: MAC, cipher: "aes-256-xts" }, async (sample) => {
      const path = `${sample.dir}/image`;
      const bytes = await Deno.readFile(path);
      bytes[1024 * 100] ^= 1;
      await Deno.writeFile(path, bytes);
      const lines: string[] = [];
      const log = (line: string): number => lines.push(line);
      const image = open(sample, undefined, { log });
      const block = new Uint8Array(1024);
      assert.throws(() => image.device.read(100, block), IntegrityError);
      image.device.read(99, block);
      assert.equal(lines.length, 1);
      assert.match(lines[0], /block 100/);
      assert.equal(image.verity?.statistics.failures, 1);
      image.device.close();
    }),
);

await testWith(
  ["python3"],
  "an image whose start is damaged can be opened, to be looked through",
  async () => {
    for (const cipher of [undefined, "aes-256-xts"] as const) {
      await withSample({ key: MAC, cipher }, async (sample) => {
        for (const name of ["image", "tree"]) {
          const path = `${sample.dir}/${name}`;
          const good = await Deno.readFile(path);
          const bad = good.slice();
          // The superblock; or the node above the leaves of blocks 0 and 1.
          bad[name === "image" ? 1024 : (BLOCKS / 2 - 1) * 32] ^= 1;
          await Deno.writeFile(path, bad);
          const { device, verity } = open(sample);
          const block = new Uint8Array(1024);
          assert.throws(() => device.read(1, block), IntegrityError);
          device.read(BLOCKS / 2, block);
          assert.ok(verity!.statistics.failures > 0);
          device.close();
          await Deno.writeFile(path, good);
        }
      });
    }
  },
);
