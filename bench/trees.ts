/**
 * `makemerkle` and `verify` against hashing the leaves alone in one thread: an
 * image of 512 MB in the host's cache, in turn. Prints the medians and the
 * ratios of the rounds.
 *
 * Run by `deno task bench:trees`; needs 600 MB in the temporary directory.
 *
 * @module
 */

import { createHmac } from "../bd/hmac.ts";
import { HostFile, StdDevice } from "../bd/mod.ts";
import { buildTree } from "../bd/original/build_tree.ts";
import { scrub } from "../bd/scrub.ts";
import { originalTreeBytes } from "../bd/tree_builder.ts";
import type { TrustedState } from "../bd/trusted_state.ts";
import { openOriginalVerity } from "../bd/open_verity.ts";
import { Random } from "../tests/support/random.ts";

const BLOCK_BYTES = 4096;
const RUN_BYTES = 1 << 20;
const IMAGE_BYTES = 512 << 20;
const ROUNDS = 5;
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

async function makeTree(image: StdDevice, path: string): Promise<TrustedState> {
  const size = originalTreeBytes(image.blockCount, 32);
  const tree = HostFile.open(path, { create: size });
  const state = await buildTree(image, tree, { algorithm: ALGORITHM, key });
  tree.close();
  return state;
}

async function verify(work: string, state: TrustedState): Promise<void> {
  const readOnly = true;
  const image = HostFile.open(`${work}/image`, { readOnly });
  const tree = HostFile.open(`${work}/tree`, { readOnly });
  const std = new StdDevice(image, BLOCK_BYTES);
  const device = openOriginalVerity(std, tree, { key, state });
  const { bad, checked } = await scrub(device);
  if (bad.count > 0 || checked !== device.blockCount) throw new Error("bad");
  device.close();
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
  let state: TrustedState | undefined;
  const subjects: Record<string, () => void | Promise<void>> = {
    "hashing alone, one thread": () => hashAlone(image),
    "makemerkle": async () => {
      state = await makeTree(image, `${work}/tree`);
    },
    "verify": () => verify(work, state!),
  };
  const times: Record<string, number[]> = {};
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, subject] of Object.entries(subjects)) {
      const time = await seconds(subject);
      // The first round fills the host's cache.
      if (round > 0) (times[name] ??= []).push(time);
    }
  }
  image.close();
  const [alone] = Object.values(times);
  for (const [name, list] of Object.entries(times)) {
    const rate = Math.round(IMAGE_BYTES / 1e6 / median(list));
    const ratio = median(alone.map((time, i) => time / list[i]));
    console.log(`${name.padEnd(26)} ${rate} MB/s  ${ratio.toFixed(2)}`);
  }
} finally {
  Deno.removeSync(work, { recursive: true });
}
