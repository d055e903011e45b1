/**
 * Images of the original server, made by an independent implementation,
 * opened, read, changed, and opened again.
 */

import assert from "node:assert/strict";
import { decodeState } from "../bd/original/root_file.ts";
import type { TrustedState } from "../bd/trusted_state.ts";
import { assertSameFile, original } from "./support/original.ts";
import {
  BLOCKS,
  change,
  encryptJob,
  MAC,
  open,
  readHello,
  type Sample,
  treeJob,
  withSample,
} from "./support/original_sample.ts";
import { assertClean, testWith } from "./support/tools.ts";

const KINDS: Partial<Sample>[] = [
  {},
  { blockSize: 4096 },
  { key: MAC },
  { key: MAC, algorithm: "md5", blockSize: 2048 },
  { key: null, algorithm: "sha512", blockSize: 4096 },
  { cipher: "aes-256-xts" },
  { cipher: "aes-256-xts", blockSize: 4096 },
  { cipher: "aes-256-cbc", blockSize: 2048 },
  { key: MAC, cipher: "aes-256-xts", blockSize: 4096 },
  { key: MAC, cipher: "aes-256-cbc", algorithm: "sha1" },
  { key: null, cipher: "aes-256-xts", algorithm: "sha384", blockSize: 2048 },
];

for (const shape of KINDS) {
  await testWith(
    ["python3"],
    `an image of ${JSON.stringify(shape)} is read, changed and opened again`,
    () =>
      withSample(shape, async (sample) => {
        const { dir } = sample;
        const rootFile = `${dir}/root`;
        const first = open(sample, undefined, { rootFile });
        assert.deepEqual(first.warnings, []);
        assert.equal(first.verity !== null, sample.key !== undefined);
        assert.equal(first.device.blockSize, sample.blockSize);
        readHello(first.device);
        await change(first, "more");
        if (sample.key !== undefined) await checkTree(sample, first.state()!);
        if (sample.cipher) await checkCiphertext(sample);

        const again = open(sample, `file=${rootFile}`, { readOnly: true });
        readHello(again.device);
        readHello(again.device, "more4");
        again.device.close();
      }),
  );
}

/** The tree and root file are those of the image as it is now. */
async function checkTree(sample: Sample, state: TrustedState): Promise<void> {
  const { dir } = sample;
  const [root] = await original([treeJob(sample, "tree again")]);
  await assertSameFile(`${dir}/tree`, `${dir}/tree again`);
  assert.equal(state.root.toHex(), root);
  assert.notEqual(root, sample.root);
  assert.deepEqual(decodeState(await Deno.readFile(`${dir}/root`)), state);
}

/** The plaintext, encrypted by the others, is the image as it is now. */
async function checkCiphertext(sample: Sample): Promise<void> {
  const { dir, blockSize } = sample;
  const root = sample.key === undefined ? undefined : `file=${dir}/root`;
  const { device } = open(sample, root, { readOnly: true });
  const bytes = new Uint8Array(BLOCKS * blockSize);
  device.read(0, bytes);
  device.close();
  await Deno.writeFile(`${dir}/plain`, bytes);
  await assertClean(`${dir}/plain`);
  await original([encryptJob(sample, "image again")]);
  await assertSameFile(`${dir}/image`, `${dir}/image again`);
}
