/**
 * `makemerkle` against hashing the leaves alone in one thread: an image of
 * 512 MB in the host's cache, in turn. Prints the medians and the ratio of
 * the pairs.
 *
 * Run by `deno task bench:makemerkle`; needs 600 MB in the temporary
 * directory.
 *
 * @module
 */

import { createHmac } from "../bd/hmac.ts";
import { HostFile, StdDevice } from "../bd/mod.ts";
import { buildTree } from "../bd/original/build_tree.ts";
import { originalTreeBytes } from "../bd/tree_builder.ts";
import { Random } from "../tests/support/random.ts";

const BLOCK_BYTES = 4096;
const RUN_BYTES = 1 << 20;
const IMAGE_BYTES = 512 << 20;
const PAIRS = 5;
const ALGORITHM = "sha256";
const key = new TextEncoder().encode("key");

function makeImage(path: string): void {
  const data = new Random(20261124).bytes(RUN_BYTES);
  using file = Deno.openSync(path, { write: true, create: true });
  for (let at = 0; at < IMAGE_BYTES; at += RUN_BYTES) {
    data[at >> 20 & (RUN_BYTES - 1)] ^= 1;
    file.writeSync(data);
  }
}

/** Reads and hashes every block, and does nothing with the digests. */
function hashAlone(image: StdDevice): void {
  const hash = createHmac(ALGORITHM, key);
  const digest = new Uint8Array(hash.digestSize);
  const run = new Uint8Array(RUN_BYTES);
  const count = RUN_BYTES / BLOCK_BYTES;
  for (let block = 0; block < image.blockCount; block += count) {
    image.read(block, run);
    for (let at = 0; at < RUN_BYTES; at += BLOCK_BYTES) {
      hash.hashInto(run.subarray(at, at + BLOCK_BYTES), digest, 0);
    }
  }
}

async function makeTree(image: StdDevice, path: string): Promise<void> {
  const size = originalTreeBytes(image.blockCount, 32);
  const tree = HostFile.open(path, { create: size });
  await buildTree(image, tree, { algorithm: ALGORITHM, key });
  tree.close();
}

async function seconds(work: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

const work = Deno.makeTempDirSync({ prefix: "nextfs-bench-" });
try {
  makeImage(`${work}/image`);
  const file = HostFile.open(`${work}/image`, { readOnly: true });
  const image = new StdDevice(file, BLOCK_BYTES);
  const alone: number[] = [];
  const whole: number[] = [];
  for (let pair = 0; pair <= PAIRS; pair++) {
    const a = await seconds(() => hashAlone(image));
    const b = await seconds(() => makeTree(image, `${work}/tree`));
    if (pair === 0) continue; // The first fills the host's cache.
    alone.push(a);
    whole.push(b);
  }
  image.close();
  const rate = (times: number[]): string =>
    `${Math.round(IMAGE_BYTES / 1e6 / median(times))} MB/s`;
  const ratios = alone.map((time, i) => time / whole[i]);
  console.log(`hashing alone, one thread  ${rate(alone)}`);
  console.log(`makemerkle                 ${rate(whole)}`);
  console.log(`ratio                      ${median(ratios).toFixed(2)}`);
} finally {
  Deno.removeSync(work, { recursive: true });
}
