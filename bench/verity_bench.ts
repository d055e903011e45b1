/**
 * What verification costs: bd-verity and bd-vericrypt against the hash of the
 * same blocks alone, and against hash and cipher alone. What is compared is
 * measured in turns within one run, so that the machine's changes of pace fall
 * on all of it. Run by `deno task bench`.
 *
 * @module
 */

import * as nodeCrypto from "node:crypto";
import type { BlockDevice } from "../bd/block_device.ts";
import { CryptDevice } from "../bd/crypt.ts";
import { createHmac } from "../bd/hmac.ts";
import { MemoryDevice } from "../bd/memory.ts";
import { MemoryFile } from "../bd/memory_file.ts";
import { MerkleTree } from "../bd/merkle_tree.ts";
import { HostFile, StdDevice } from "../bd/std.ts";
import { pagedLayout } from "../bd/tree_layout.ts";
import { openPagedVerity, pagedTreeBytes } from "../bd/open_verity.ts";
import type { VerityDevice } from "../bd/verity.ts";

const SIZE = 4096;
/** Rounds of turns; medians are taken over those behind the first ones. */
const ROUNDS = 130;
const WARM_UP = 30;
/** How often a whole volume is read. */
const COLD_PASSES = 7;
const leafKey = new Uint8Array(32).fill(1);
const nodeKey = new Uint8Array(32).fill(2);
const hmac = createHmac("sha256", leafKey);

/** A device that takes no time. */
const nothing: BlockDevice = {
  blockSize: SIZE,
  blockCount: 1 << 20,
  readOnly: false,
  read: () => {},
  write: () => {},
  flush: () => Promise.resolve(),
  close: () => {},
};

function encrypted(next: BlockDevice): CryptDevice {
  const key = new Uint8Array(64).map((_, i) => i);
  return new CryptDevice(next, { cipher: "aes-256-xts", key });
}

/** What is measured: calls, each of them for one block. */
type Subjects = Record<string, (turn: number) => void>;

/** Times of each subject's turns, in µs for a block. */
type Times = Record<string, number[]>;

/** Measures subjects in short turns, so that all of them see the same. */
function measure(subjects: Subjects, calls = 500): Times {
  const times: Times = {};
  let turn = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, call] of Object.entries(subjects)) {
      const start = performance.now();
      for (let i = 0; i < calls; i++) call(turn++);
      const time = (performance.now() - start) * 1000 / calls;
      // The first rounds are for the compiler.
      if (round >= WARM_UP) (times[name] ??= []).push(time);
    }
  }
  return times;
}

const median = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/** Prints medians, and of ratios to the first subject's turns. */
function report(title: string, times: Times): void {
  console.log(`\n${title.padEnd(44)}      µs   ratio`);
  const [first] = Object.values(times);
  for (const [name, list] of Object.entries(times)) {
    const ratio = median(list.map((time, i) => time / first[i]));
    console.log(
      `  ${name.padEnd(40)} ${median(list).toFixed(2).padStart(8)} ` +
        ratio.toFixed(2).padStart(7),
    );
  }
}

/** A verified volume in memory, every block of which was written. */
class Volume {
  readonly image: MemoryDevice;
  readonly #tree: MemoryFile;
  #root: Uint8Array = new Uint8Array(32);

  private constructor(readonly blocks: number) {
    this.image = new MemoryDevice(SIZE, blocks);
    this.#tree = new MemoryFile(pagedTreeBytes(blocks));
  }

  static async make(blocks: number): Promise<Volume> {
    const volume = new Volume(blocks);
    const device = volume.open();
    const run = crypto.getRandomValues(new Uint8Array(16 * SIZE));
    for (let at = 0; at < blocks; at += 16) device.write(at, run);
    await device.flush();
    return volume;
  }

  open(): VerityDevice {
    return openPagedVerity(this.image, this.#tree, {
      leafKey,
      nodeKey,
      state: {
        algorithm: "sha256",
        blockSize: SIZE,
        leafCount: this.blocks,
        root: this.#root,
      },
      publish: ({ root }) => {
        this.#root = root;
        return Promise.resolve();
      },
    });
  }
}

/** The hash of a node, in TypeScript and by the runtime. */
function benchNodeHash(): void {
  const { hash } = nodeCrypto as unknown as {
    hash: (algorithm: string, data: Uint8Array, as: "hex") => string;
  };
  const node = new Uint8Array(64).fill(3);
  const digest = new Uint8Array(32);
  const [inner, outer] = [new Uint8Array(128), new Uint8Array(96)];
  const times = measure({
    "as it is": () => hmac.hashInto(node, digest, 0),
    "two calls of the runtime's hash": () => {
      inner.set(node, 64);
      digest.setFromHex(hash("sha256", inner, "hex"));
      outer.set(digest, 64);
      digest.setFromHex(hash("sha256", outer, "hex"));
    },
  });
  report("hash of a node", times);
}

/** Reads of single blocks whose leaves are in memory and verified. */
async function benchWarmReads(): Promise<void> {
  const volume = await Volume.make(1 << 14);
  const { blocks, image } = volume;
  const verity = volume.open();
  const vericrypt = encrypted(volume.open());
  const xts = encrypted(nothing);
  const block = new Uint8Array(SIZE);
  const digest = new Uint8Array(32);
  for (let i = 0; i < blocks; i++) {
    verity.read(i, block);
    vericrypt.read(i, block);
  }
  const place = (turn: number): number => turn * 7919 % blocks;
  const hash = (): void => hmac.hashInto(block, digest, 0);
  const both = (turn: number): void => {
    hash();
    xts.read(place(turn), block);
  };
  const memory = (turn: number): void => image.read(place(turn), block);
  const plain = measure({
    "HMAC alone": hash,
    "HMAC, of what is in memory": (turn) => {
      memory(turn);
      hash();
    },
    "verity": (turn) => verity.read(place(turn), block),
    "asking whether a write is admitted": (turn) => {
      verity.admitWrite(place(turn));
    },
  });
  report("a block at random, warm", plain);
  const secret = measure({
    "HMAC and XTS alone": both,
    "HMAC and XTS, of what is in memory": (turn) => {
      memory(turn);
      both(turn);
    },
    "vericrypt": (turn) => vericrypt.read(place(turn), block),
  });
  report("the same, encrypted", secret);
}

const RUN_BLOCKS = 32;

/** Reads of a whole volume of 256 MiB, in order, with nothing in memory. */
async function benchColdReads(): Promise<void> {
  const volume = await Volume.make(1 << 16);
  const run = new Uint8Array(RUN_BLOCKS * SIZE);
  const digest = new Uint8Array(32);
  const xts = encrypted(nothing);
  const hash = (): void => {
    for (let i = 0; i < run.length; i += SIZE) {
      hmac.hashInto(run.subarray(i, i + SIZE), digest, 0);
    }
  };
  const [times, secret]: Times[] = [{}, {}];
  for (let pass = 0; pass < COLD_PASSES; pass++) {
    const verity = volume.open();
    const vericrypt = encrypted(volume.open());
    readInTurns(volume.blocks, times, {
      "HMAC alone": hash,
      "verity": (at) => verity.read(at, run),
    });
    readInTurns(volume.blocks, secret, {
      "HMAC and XTS alone": (at) => {
        hash();
        xts.read(at, run);
      },
      "vericrypt": (at) => vericrypt.read(at, run),
    });
  }
  report("256 MiB in order, cold", times);
  report("the same, encrypted", secret);
}

/** Calls each subject for each run of a volume; adds a time to `times`. */
function readInTurns(blocks: number, times: Times, subjects: Subjects): void {
  const sums: Record<string, number> = {};
  for (let at = 0; at < blocks; at += RUN_BLOCKS) {
    for (const [name, read] of Object.entries(subjects)) {
      const start = performance.now();
      read(at);
      sums[name] = (sums[name] ?? 0) + performance.now() - start;
    }
  }
  for (const [name, sum] of Object.entries(sums)) {
    (times[name] ??= []).push(sum * 1000 / blocks);
  }
}

const GIB_BLOCKS = 1 << 18;

/** A tree over 1 GiB of blocks that were written, and its root. */
function fullTree(file: HostFile): Uint8Array {
  const tree = new MerkleTree(file, {
    layout: pagedLayout(GIB_BLOCKS),
    nodeHash: createHmac("sha256", nodeKey),
    root: new Uint8Array(32),
  });
  const leaf = new Uint8Array(32).fill(9);
  for (let at = 0; at < GIB_BLOCKS; at += 4096) {
    tree.bind(at, 4096);
    for (let i = at; i < at + 4096; i++) tree.change(i, leaf);
  }
  tree.fold();
  tree.writeBack();
  return tree.root;
}

/** Random writes over 1 GiB in host files, with a flush every 1,000. */
async function benchWrites(): Promise<void> {
  const directory = await Deno.makeTempDir();
  const create = (name: string, size: number): HostFile =>
    HostFile.open(`${directory}/${name}`, { create: size });
  const devices: Record<string, BlockDevice> = {};
  const block = crypto.getRandomValues(new Uint8Array(SIZE));
  try {
    devices.std = new StdDevice(create("std", GIB_BLOCKS * SIZE), SIZE);
    const verities = ["verity", "vericrypt"].map((name) => {
      const file = create(`${name}.tree`, pagedTreeBytes(GIB_BLOCKS));
      const root = fullTree(file);
      const image = create(name, GIB_BLOCKS * SIZE);
      const verity = openPagedVerity(new StdDevice(image, SIZE), file, {
        leafKey,
        nodeKey,
        state: {
          algorithm: "sha256",
          blockSize: SIZE,
          leafCount: GIB_BLOCKS,
          root,
        },
      });
      devices[name] = name === "verity" ? verity : encrypted(verity);
      return verity;
    });
    await measureWrites(devices, block);
    for (const { statistics: { nodesHashed, treeWrites } } of verities) {
      const writes = WRITES_PER_FLUSH * FLUSHES;
      console.log(
        `  for each write ${(nodesHashed / writes).toFixed(1)} nodes hashed, ` +
          `${(treeWrites / writes).toFixed(2)} pages of the tree written`,
      );
    }
  } finally {
    for (const device of Object.values(devices)) device.close();
    await Deno.remove(directory, { recursive: true });
  }
}

const WRITES_PER_FLUSH = 1000;
const FLUSHES = 24;

async function measureWrites(
  devices: Record<string, BlockDevice>,
  block: Uint8Array,
): Promise<void> {
  const rates: Record<string, { call: number[]; flush: number[] }> = {};
  let turn = 0;
  for (let flush = 0; flush < FLUSHES; flush++) {
    for (const [name, device] of Object.entries(devices)) {
      const start = performance.now();
      for (let i = 0; i < WRITES_PER_FLUSH; i++) {
        device.write(turn++ * 104_729 % GIB_BLOCKS, block);
      }
      const written = performance.now();
      await device.flush();
      const { call, flush } = rates[name] ??= { call: [], flush: [] };
      call.push((written - start) * 1000 / WRITES_PER_FLUSH);
      flush.push((performance.now() - written) * 1000 / WRITES_PER_FLUSH);
    }
  }
  console.log(
    `\n${
      "random writes over 1 GiB, flush every 1,000".padEnd(44)
    } µs/write    flush   MB/s`,
  );
  for (const [name, { call, flush }] of Object.entries(rates)) {
    const [write, sync] = [median(call), median(flush)];
    const rate = (SIZE / (write + sync)).toFixed(0);
    console.log(
      `  ${name.padEnd(42)} ${write.toFixed(1).padStart(8)} ` +
        `${sync.toFixed(1).padStart(8)} ${rate.padStart(6)}`,
    );
  }
}

benchNodeHash();
await benchWarmReads();
await benchColdReads();
await benchWrites();
