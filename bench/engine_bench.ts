/**
 * The engine in process, on a device in memory: what each call costs, with
 * everything cached. Run by `deno bench`.
 *
 * @module
 */

import { MemoryDevice } from "../bd/mod.ts";
import { Filesystem, format, ROOT_INODE } from "../fs/mod.ts";

const BLOCK_SIZE = 4096;
const BLOCKS = 1 << 16;

function freshFilesystem(): Filesystem {
  const device = new MemoryDevice(BLOCK_SIZE, BLOCKS);
  format(device, { blank: true, inodeCount: 32768 });
  return Filesystem.open(device);
}

const fs = freshFilesystem();
const file = fs.create(ROOT_INODE, "file");
fs.write(file, 0, new Uint8Array(16 << 20).fill(1));
const small = fs.mkdir(ROOT_INODE, "small");
for (let i = 0; i < 50; i++) fs.create(small, `name${i}`);
const large = fs.mkdir(ROOT_INODE, "large");
for (let i = 0; i < 10_000; i++) fs.create(large, `name${i}`);
const block = new Uint8Array(BLOCK_SIZE);
const megabyte = new Uint8Array(1 << 20);
let turn = 0;

Deno.bench("lookup, directory of 50", () => {
  fs.lookup(small, `name${turn++ % 50}`);
});

Deno.bench("lookup, directory of 10,000", () => {
  fs.lookup(large, `name${turn++ % 10_000}`);
});

Deno.bench("getattr", () => {
  fs.getattr(file);
});

Deno.bench("read 4 KiB", () => {
  fs.read(file, (turn++ & 4095) * BLOCK_SIZE, block);
});

Deno.bench("write 4 KiB over", () => {
  fs.write(file, (turn++ & 4095) * BLOCK_SIZE, block);
});

Deno.bench("read 1 MiB", () => {
  fs.read(file, (turn++ & 15) << 20, megabyte);
});

Deno.bench("write 1 MiB over", () => {
  fs.write(file, (turn++ & 15) << 20, megabyte);
});

Deno.bench("create and unlink, directory of 50", () => {
  fs.create(small, "fresh");
  fs.unlink(small, "fresh");
});

Deno.bench("create and unlink, directory of 10,000", () => {
  fs.create(large, "fresh");
  fs.unlink(large, "fresh");
});

Deno.bench("readdir of 10,000 entries", () => {
  let cookie = 0;
  for (;;) {
    const entries = fs.readdir(large, cookie);
    if (entries.length === 0) break;
    cookie = entries[entries.length - 1].cookie;
  }
});
