/**
 * Holes as the kernel's ext4 driver sees and makes them, on the same images.
 */

import assert from "node:assert/strict";
import { Filesystem, ROOT_INODE } from "../fs/mod.ts";
import { formatted, loadImage, saveImage } from "./support/images.ts";
import { chooseSeed, Random } from "./support/random.ts";
import { must, testWith, withMount, withTempDir } from "./support/tools.ts";
import { anyOffset } from "./support/walk_arguments.ts";
import { seek } from "./support/walk_ranges.ts";

const seed = chooseSeed("HOLE_SEED");

/** One call that changes a file. */
type Call = readonly ["write" | "resize" | "punch", number, number];

/** A file as it is seen from outside. */
interface Sight {
  /** Size, in bytes. */
  readonly size: number;
  /** Space taken, in units of 512 bytes. */
  readonly blocks: number;
  /** Where data begins and ends, in turn. */
  readonly edges: readonly number[];
  /** Sum of all bytes, weighted by their place. */
  readonly sum: number;
}

/** Makes the calls of a JSON file on files, and prints what these are then. */
const SCRIPT = `
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
KEEP_SIZE, PUNCH_HOLE = 1, 2

def punch(fd, offset, length):
    args = [ctypes.c_int64(n) for n in (offset, length)]
    if libc.fallocate(fd, KEEP_SIZE | PUNCH_HOLE, *args) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")

def change(fd, kind, offset, length):
    if kind == "write":
        os.pwrite(fd, bytes([7]) * length, offset)
    elif kind == "resize":
        os.ftruncate(fd, offset)
    else:
        punch(fd, offset, length)

def seek(fd, at, whence):
    try:
        return os.lseek(fd, at, whence)
    except OSError as error:
        assert error.errno == 6, error
        return None

def sight(fd):
    size = os.fstat(fd).st_size
    edges, at, sum = [], 0, 0
    while True:
        start = seek(fd, at, os.SEEK_DATA)
        if start is None:
            break
        at = seek(fd, start, os.SEEK_HOLE)
        edges += [start, at]
        data = os.pread(fd, at - start, start)
        for i, byte in enumerate(data):
            if byte:
                sum = (sum + (start + i) * byte) % 2**40
    blocks = os.fstat(fd).st_blocks
    return {"size": size, "blocks": blocks, "edges": edges, "sum": sum}

root, path = sys.argv[1:]
sights = []
for name, calls in json.load(open(path)).items():
    flags = os.O_RDWR | os.O_CREAT if calls else os.O_RDONLY
    fd = os.open(os.path.join(root, name), flags)
    for call in calls:
        change(fd, *call)
    if calls:
        os.fsync(fd)
    sights.append(sight(fd))
print(json.dumps(sights))
`;

/** What the kernel makes of files by `calls`, or sees where there are none. */
async function byKernel(
  image: string,
  calls: Record<string, readonly Call[]>,
): Promise<Sight[]> {
  await Deno.writeTextFile(`${image}.json`, JSON.stringify(calls));
  const look = (root: string): Promise<string> =>
    must("python3", "-c", SCRIPT, root, `${image}.json`);
  return JSON.parse(await withMount(image, "rw,noatime", look, "ext4"));
}

function changeBy(fs: Filesystem, ino: number, call: Call): void {
  const [kind, offset, length] = call;
  if (kind === "write") {
    fs.write(ino, offset, new Uint8Array(length).fill(7));
  } else if (kind === "resize") fs.setattr(ino, { size: offset });
  else {
    const options = { offset, length, keepSize: true, punchHole: true };
    assert.equal(fs.allocate(ino, options), length);
  }
}

/** What the engine sees of a file. */
function sight(fs: Filesystem, ino: number): Sight {
  const { size, blocks } = fs.getattr(ino);
  const edges: number[] = [];
  let sum = 0;
  for (let at = 0;;) {
    const start = seek(fs, ino, at, false);
    if (start === null) return { size, blocks, edges, sum };
    at = seek(fs, ino, start, true)!;
    edges.push(start, at);
    const data = new Uint8Array(at - start);
    fs.read(ino, start, data);
    data.forEach((byte, i) => {
      if (byte !== 0) sum = (sum + (start + i) * byte) % 2 ** 40;
    });
  }
}

/** Calls on a file whose edges are those of the block map, or any. */
function anyCalls(random: Random, blockSize: number): Call[] {
  return Array.from({ length: 6 + random.below(10) }, () => {
    const offset = anyOffset(random, blockSize);
    const kind = random.pick(["write", "write", "resize", "punch", "punch"]);
    const blocks = kind === "punch" && random.chance(0.3) ? 600 : 5;
    const length = 1 + random.below(blocks * blockSize);
    return [kind as Call[0], offset, length];
  });
}

for (const blockSize of [1024, 2048, 4096]) {
  await testWith(
    ["loop mounts", "python3"],
    `the kernel finds and makes holes where the engine does: ${blockSize}`,
    () =>
      withTempDir(async (dir) => {
        const random = new Random(seed);
        const image = `${dir}/holes.img`;
        const device = formatted({ blockSize, blockCount: 20_000 });
        const names = Array.from({ length: 60 }, (_, n) => `file ${n}`);
        const lists = names.map(() => anyCalls(random, blockSize));

        const fs = Filesystem.open(device);
        const ours = names.map((name, n) => {
          const ino = fs.create(ROOT_INODE, name);
          for (const call of lists[n]) changeBy(fs, ino, call);
          return sight(fs, ino);
        });
        await fs.close();
        await saveImage(device, image);

        const all = names.map((name) => [name, []] as const);
        const seen = await byKernel(image, Object.fromEntries(all));
        const theirs = await byKernel(
          image,
          Object.fromEntries(names.map((name, n) => [`${name}k`, lists[n]])),
        );
        const again = Filesystem.open(await loadImage(image));
        names.forEach((name, n) => {
          const text = `HOLE_SEED=${seed} ${JSON.stringify(lists[n])}`;
          assert.deepEqual(seen[n], ours[n], text);
          assert.deepEqual(theirs[n], ours[n], text);
          const ino = again.lookup(ROOT_INODE, `${name}k`);
          assert.deepEqual(sight(again, ino), ours[n], text);
        });
        await again.close();
      }),
  );
}
