/**
 * `nextfs makefs` against `mke2fs -d`: the same tree, in turn, as whole
 * processes. Prints the medians and the ratio of the pairs.
 *
 * Run by `deno task bench:makefs`; needs e2fsprogs and 1.5 GB in the temporary
 * directory.
 *
 * @module
 */

import { Random } from "../tests/support/random.ts";

const TREE_BYTES = 500e6;
const PAIRS = 5;
const IMAGE_MIB = 700;

/**
 * Makes a mixed tree: most files small, most bytes in large ones, as in a
 * system's `/usr`. Returns the number of files.
 */
function makeTree(root: string): number {
  const random = new Random(20261123);
  const data = random.bytes(16 << 20);
  const fraction = (): number => random.next() / 2 ** 32;
  let files = 0;
  for (let bytes = 0; bytes < TREE_BYTES; files++) {
    const directory = `${root}/d${files % 97}/e${files % 7}`;
    Deno.mkdirSync(directory, { recursive: true });
    // Of 20 files 19 have 256 bytes to 64 KiB, and one up to 4 MiB.
    const isLarge = files % 20 === 0;
    const doublings = isLarge ? 8 + 6 * fraction() : 8 * fraction();
    const size = Math.floor(256 * 2 ** doublings);
    const start = random.below(data.length - size);
    Deno.writeFileSync(
      `${directory}/f${files}`,
      data.subarray(start, start + size),
    );
    bytes += size;
  }
  return files;
}

function seconds(command: string, args: string[]): number {
  const start = performance.now();
  const result = new Deno.Command(command, { args, stderr: "piped" })
    .outputSync();
  if (!result.success) {
    console.error(new TextDecoder().decode(result.stderr));
    Deno.exit(1);
  }
  return (performance.now() - start) / 1000;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

const work = Deno.makeTempDirSync({ prefix: "nextfs-bench-" });
try {
  const tree = `${work}/tree`;
  const files = makeTree(tree);
  console.log(`tree: ${files} files, ${TREE_BYTES / 1e6} MB`);
  const main = new URL("../main.ts", import.meta.url).pathname;
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let pair = 0; pair <= PAIRS; pair++) {
    const image = `${work}/image`;
    const size = `${IMAGE_MIB}M`;
    const a = seconds(Deno.execPath(), [
      ...["run", "-q", "-A", main, "makefs"],
      ...["-s", size, "--force", image, tree],
    ]);
    Deno.removeSync(image);
    const b = seconds("mke2fs", ["-q", "-t", "ext2", "-d", tree, image, size]);
    Deno.removeSync(image);
    if (pair === 0) continue; // The first fills the host's cache.
    ours.push(a);
    theirs.push(b);
  }
  console.log(`nextfs makefs  ${median(ours).toFixed(2)} s`);
  console.log(`mke2fs -d      ${median(theirs).toFixed(2)} s`);
  const ratios = ours.map((time, i) => time / theirs[i]);
  console.log(
    `ratio          ${median(ratios).toFixed(2)} (${
      Math.min(...ratios).toFixed(2)
    } to ${Math.max(...ratios).toFixed(2)} in ${PAIRS} pairs)`,
  );
} finally {
  Deno.removeSync(work, { recursive: true });
}
