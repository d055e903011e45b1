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
import {
  openPagedVerity,
  pagedTreeBytes,
  type VerityDevice,
} from "../bd/verity.ts";

const SIZE = 4096;
/** Rounds of turns; medians are taken over them. */
const ROUNDS = 9;
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

/** Something to measure: what it does, and how many blocks that is. */
interface Subject {
  readonly blocks: number;
  readonly run: () => void;
}

/** Medians over rounds of turns, in µs for each block. */
function compare(subjects: Record<string, Subject>): Record<string, number> {
  const times: Record<string, number[]> = {};
  for (let round = -1; round < ROUNDS; round++) {
    for (const [name, { blocks, run }] of Object.entries(subjects)) {
      const start = performance.now();
      run();
      const time = (performance.now() - start) * 1000 / blocks;
      if (round >= 0) (times[name] ??= []).push(time);
    }
  }
  const medians = Object.entries(times).map(([name, list]) => {
    return [name, list.toSorted((a, b) => a - b)[ROUNDS >> 1]];
  });
  return Object.fromEntries(medians);
}

function report(title: string, medians: Record<string, number>): void {
  console.log(`\n${title.padEnd(44)}       µs   ratio`);
  const [first] = Object.values(medians);
  for (const [name, time] of Object.entries(medians)) {
    const ratio = (time / first).toFixed(2);
    console.log(`  ${name.padEnd(42)} ${time.toFixed(2).padStart(8)} ${ratio.padStart(7)}`);
  }
}

function repeat(times: number, call: (turn: number) => void): Subject {
  const run = (): void => {
    for (let turn = 0; turn < times; turn++) call(turn);
  };
  return { blocks: times, run };
}

/** A verified volume in memory, every block of which was written. */
class Volume {
  readonly #image: MemoryDevice;
  readonly #tree: MemoryFile;
  #root: Uint8Array = new Uint8Array(32);

  constructor(readonly blocks: number) {
    this.#image = new MemoryDevice(SIZE, blocks);
    this.#tree = new MemoryFile(pagedTreeBytes(blocks));
  }

  async fill(): Promise<void> {
    const device = this.open();
    const run = crypto.getRandomValues(new Uint8Array(16 * SIZE));
    for (let at = 0; at < this.blocks; at += 16) device.write(at, run);
    await device.flush();
  }

  open(): VerityDevice {
    return openPagedVerity(this.#image, this.#tree, {
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
    hash: (algorithm: string, data: Uint8Array, as: "buffer") => Uint8Array;
  };
  const node = new Uint8Array(64).fill(3);
  const digest = new Uint8Array(32);
  const [inner, outer] = [new Uint8Array(128), new Uint8Array(96)];
  report(
    "hash of a node",
    compare({
      "as it is": repeat(20_000, () => hmac.hashInto(node, digest, 0)),
      "two calls of the runtime's hash": repeat(20_000, () => {
        inner.set(node, 64);
        outer.set(hash("sha256", inner, "buffer"), 64);
        digest.set(hash("sha256", outer, "buffer"));
      }),
    }),
  );
}

/** Reads of single blocks whose leaves are in memory and verified. */
async function benchWarmReads(): Promise<void> {
  const volume = new Volume(1 << 14);
  await volume.fill();
  const verity = volume.open();
  const vericrypt = encrypted(volume.open());
  const xts = encrypted(nothing);
  const block = new Uint8Array(SIZE);
  const digest = new Uint8Array(32);
  for (let i = 0; i < volume.blocks; i++) {
    verity.read(i, block);
    vericrypt.read(i, block);
  }
  const place = (turn: number): number => turn * 7919 % volume.blocks;
  const count = 10_000;
  const hash = repeat(count, () => hmac.hashInto(block, digest, 0));
  report(
    "warm read of a block, at random",
    compare({
      "HMAC alone": hash,
      "verity": repeat(count, (turn) => verity.read(place(turn), block)),
    }),
  );
  report(
    "the same, encrypted",
    compare({
      "HMAC and XTS alone": repeat(count, (turn) => {
        hmac.hashInto(block, digest, 0);
        xts.read(place(turn), block);
      }),
      "vericrypt": repeat(count, (turn) => vericrypt.read(place(turn), block)),
    }),
  );
  report(
    "asking whether a write is admitted",
    compare({
      "HMAC alone": hash,
      "admitWrite()": repeat(count, (turn) => verity.admitWrite(place(turn))),
    }),
  );
}

/** Reads of a whole volume of 256 MiB with nothing in memory. */
async function benchColdReads(): Promise<void> {
  const volume = new Volume(1 << 16);
  await volume.fill();
  const run = new Uint8Array(128 << 10);
  const digest = new Uint8Array(32);
  const blocks = run.length / SIZE;
  const readAll = (device: BlockDevice): void => {
    for (let at = 0; at < volume.blocks; at += blocks) device.read(at, run);
  };
  const hashAll = (also?: BlockDevice): void => {
    for (let at = 0; at < volume.blocks; at += blocks) {
      for (let i = 0; i < run.length; i += SIZE) {
        hmac.hashInto(run.subarray(i, i + SIZE), digest, 0);
      }
      also?.read(at, run);
    }
  };
  const xts = encrypted(nothing);
  const whole = (run: () => void): Subject => ({ blocks: volume.blocks, run });
  report(
    "cold read of 256 MiB in order",
    compare({
      "HMAC alone": whole(() => hashAll()),
      "verity": whole(() => readAll(volume.open())),
    }),
  );
  report(
    "the same, encrypted",
    compare({
      "HMAC and XTS alone": whole(() => hashAll(xts)),
      "vericrypt": whole(() => readAll(encrypted(volume.open()))),
    }),
  );
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
    `\n${"random writes over 1 GiB, flush every 1,000".padEnd(44)} µs/write    flush   MB/s`,
  );
  for (const [name, { call, flush }] of Object.entries(rates)) {
    const [write, sync] = [call, flush].map((list) => {
      return list.toSorted((a, b) => a - b)[list.length >> 1];
    });
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
