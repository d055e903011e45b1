/**
 * The engine in process, on a device in memory: what each call costs with
 * everything cached, and how often it goes to the device with nothing cached.
 * Run by `deno task bench`.
 *
 * @module
 */

import { FaultyDevice, MemoryDevice } from "../bd/mod.ts";
import { Filesystem, format, ROOT_INODE } from "../fs/mod.ts";

const BLOCK_SIZE = 4096;
const BLOCKS = 1 << 16;
const FILE_BLOCKS = 4096;

const device = new FaultyDevice(new MemoryDevice(BLOCK_SIZE, BLOCKS));
format(device, { blank: true, inodeCount: 32768 });
let fs = Filesystem.open(device);
const file = fs.create(ROOT_INODE, "file");
fs.write(file, 0, new Uint8Array(FILE_BLOCKS * BLOCK_SIZE).fill(1));
const small = fs.mkdir(ROOT_INODE, "small");
for (let i = 0; i < 50; i++) fs.create(small, `name${i}`);
const large = fs.mkdir(ROOT_INODE, "large");
for (let i = 0; i < 10_000; i++) fs.create(large, `name${i}`);
const block = new Uint8Array(BLOCK_SIZE);
const megabyte = new Uint8Array(1 << 20);
let turn = 0;

const offset = (): number => (turn++ % FILE_BLOCKS) * BLOCK_SIZE;

/** The calls that are measured, by name. */
const CALLS: Record<string, () => void> = {
  "lookup, directory of 50": () => {
    fs.lookup(small, `name${turn++ % 50}`);
  },
  "lookup, directory of 10,000": () => {
    fs.lookup(large, `name${turn++ % 10_000}`);
  },
  "getattr": () => {
    fs.getattr(file);
  },
  "read 4 KiB": () => {
    fs.read(file, offset(), block);
  },
  "write 4 KiB over": () => {
    fs.write(file, offset(), block);
  },
  "read 1 MiB": () => {
    fs.read(file, (turn++ & 15) << 20, megabyte);
  },
  "write 1 MiB over": () => {
    fs.write(file, (turn++ & 15) << 20, megabyte);
  },
  "create and unlink, directory of 50": () => {
    fs.create(small, "fresh");
    fs.unlink(small, "fresh");
  },
  "create and unlink, directory of 10,000": () => {
    fs.create(large, "fresh");
    fs.unlink(large, "fresh");
  },
  "readdir of 10,000 entries": () => {
    let cookie = 0;
    for (;;) {
      const entries = fs.readdir(large, cookie);
      if (entries.length === 0) break;
      cookie = entries[entries.length - 1].cookie;
    }
  },
};

/** Device calls of one call with a cold cache, and of the sync behind it. */
async function deviceCalls(call: () => void): Promise<string> {
  await fs.sync();
  fs = Filesystem.open(device);
  const before = { ...device.calls };
  call();
  const read = device.calls.read - before.read;
  await fs.sync();
  const write = device.calls.write - before.write;
  return `${String(read).padStart(8)} ${String(write).padStart(8)}`;
}

console.log(`${"device calls, cold cache".padEnd(40)}    reads   writes`);
for (const [name, call] of Object.entries(CALLS)) {
  console.log(`${name.padEnd(40)} ${await deviceCalls(call)}`);
}
console.log();

for (const [name, call] of Object.entries(CALLS)) Deno.bench(name, call);
