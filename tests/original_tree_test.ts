/**
 * Trees in the original's format, compared with those of an implementation
 * that has nothing in common with ours.
 */

import assert from "node:assert/strict";
import { HASH_ALGORITHMS } from "../bd/hmac.ts";
import { MemoryDevice } from "../bd/memory.ts";
import { MemoryFile } from "../bd/memory_file.ts";
import { DIGEST_BYTES } from "../bd/hmac.ts";
import { buildTree } from "../bd/original/build_tree.ts";
import { originalTreeBytes } from "../bd/tree_builder.ts";
import { type Job, original } from "./support/original.ts";
import { testWith, withTempDir } from "./support/tools.ts";

const LEAVES = [1, 2, 3, 5, 7, 8, 9, 100, 257];
const BLOCK_SIZES = [1024, 2048, 4096];
/** Keys: none, short, longer than a block of each hash, and not ASCII. */
const KEYS = [null, "k", "long ".repeat(60), "schlüssel"];

/** Bytes that do not repeat, the same in each run. */
function contents(length: number): Uint8Array {
  const words = new Uint32Array(length / 4);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    // xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003).
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer);
}

function jobsOf(dir: string): (Job & { do: "tree" })[] {
  const jobs: (Job & { do: "tree" })[] = [];
  for (const blockSize of BLOCK_SIZES) {
    for (const leaves of LEAVES) {
      for (const algorithm of HASH_ALGORITHMS) {
        // A key longer than a block is hashed first: once is enough for that.
        const keys = leaves === 3 ? KEYS : KEYS.slice(0, 2);
        for (const key of keys) {
          const tree = `${dir}/${jobs.length}.tree`;
          const image = `${dir}/${blockSize * leaves}.img`;
          jobs.push({ do: "tree", image, tree, algorithm, blockSize, key });
        }
      }
    }
  }
  return jobs;
}

await testWith(
  ["python3"],
  "trees are the same for each hash, key, block size and number of leaves",
  () =>
    withTempDir(async (dir) => {
      const all = contents(4096 * 257);
      const jobs = jobsOf(dir);
      for (const path of new Set(jobs.map(({ image }) => image))) {
        const size = Number(/(\d+)\.img$/.exec(path)![1]);
        await Deno.writeFile(path, all.subarray(0, size));
      }
      const roots = await original(jobs);
      for (const [i, job] of jobs.entries()) {
        const { algorithm, blockSize, key } = job;
        const bytes = await Deno.readFile(job.image);
        const leafCount = bytes.length / blockSize;
        const image = new MemoryDevice(blockSize, leafCount);
        image.write(0, bytes);
        const size = originalTreeBytes(leafCount, DIGEST_BYTES[algorithm]);
        const tree = new MemoryFile(size);
        const state = await buildTree(image, tree, {
          algorithm,
          key: key === null ? null : new TextEncoder().encode(key),
          workers: 0,
        });
        const what = JSON.stringify(job);
        assert.equal(state.root.toHex(), roots[i], what);
        assert.deepEqual(state, { ...state, algorithm, blockSize, leafCount });
        assert.deepEqual(tree.bytes, await Deno.readFile(job.tree), what);
      }
    }),
);
