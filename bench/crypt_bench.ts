/**
 * What encryption costs: bd-crypt on a device that does nothing, against the
 * bare native AES that it is built on, and against AES in TypeScript. All are
 * measured in turns within one run, and the rates of a turn are compared: the
 * machine's changes of pace then fall on all of them.
 * Run by `deno task bench`.
 *
 * @module
 */

import { aesProvider } from "../bd/aes.ts";
import {
  type BlockDevice,
  CIPHER_KEY_BYTES,
  type CipherName,
  CryptDevice,
} from "../bd/mod.ts";

const BLOCK_SIZE = 4096;
/** Rounds of turns; medians are taken over them. */
const ROUNDS = 31;
/** Bytes that one turn encrypts, by the native code and by the portable one. */
const TURN_BYTES = { native: 6 << 20, portable: 1 << 18 };
/** Blocks that are gone through, in order or not. */
const BLOCKS = 1 << 20;

/** A device that takes no time. */
const nothing: BlockDevice = {
  blockSize: BLOCK_SIZE,
  blockCount: BLOCKS,
  readOnly: false,
  read: () => {},
  write: () => {},
  flush: () => Promise.resolve(),
  close: () => {},
};

const randomKey = (cipher: CipherName): Uint8Array =>
  crypto.getRandomValues(new Uint8Array(CIPHER_KEY_BYTES[cipher]));

const xtsKey = randomKey("aes-256-xts");
const xts = new CryptDevice(nothing, { cipher: "aes-256-xts", key: xtsKey });
const portableXts = new CryptDevice(nothing, {
  cipher: "aes-256-xts",
  key: xtsKey,
  provider: "portable",
});
const cbc = new CryptDevice(nothing, {
  cipher: "aes-256-cbc",
  key: randomKey("aes-256-cbc"),
});
const encryptor = aesProvider("native").encryptor(xtsKey.subarray(0, 32));
const decryptor = aesProvider("native").decryptor(xtsKey.subarray(0, 32));

/** Something to measure, and what it is compared with. */
interface Subject {
  call: (bytes: Uint8Array, blocks: number) => void;
  /** Name of another subject. */
  than?: string;
  portable?: true;
}

/** Calls so far: no two subjects are measured on the same blocks. */
let turn = 0;
/** The block of a call: behind the last one, */
const inOrder = (blocks: number): number => turn++ * blocks % (BLOCKS - 32);
/** or somewhere in 256 MiB, which is as far as encrypted tweaks are kept, */
const within = (): number => turn++ * 7919 % (1 << 16);
/** or somewhere in 4 GiB, where few are at hand. */
const allOver = (): number => turn++ * 7919 % (BLOCKS - 32);

const ENCRYPT = "native ECB, encrypt";
const DECRYPT = "native ECB, decrypt";

const SUBJECTS: Readonly<Record<string, Subject>> = {
  [ENCRYPT]: { call: (bytes) => encryptor.update(bytes) },
  [DECRYPT]: { call: (bytes) => decryptor.update(bytes) },
  "XTS write, in order": {
    call: (bytes, blocks) => xts.write(inOrder(blocks), bytes),
    than: ENCRYPT,
  },
  "XTS write, in 256 MiB": {
    call: (bytes) => xts.write(within(), bytes),
    than: ENCRYPT,
  },
  "XTS write, in 4 GiB": {
    call: (bytes) => xts.write(allOver(), bytes),
    than: ENCRYPT,
  },
  "XTS read, in order": {
    call: (bytes, blocks) => xts.read(inOrder(blocks), bytes),
    than: DECRYPT,
  },
  "XTS read, in 256 MiB": {
    call: (bytes) => xts.read(within(), bytes),
    than: DECRYPT,
  },
  "XTS read, in 4 GiB": {
    call: (bytes) => xts.read(allOver(), bytes),
    than: DECRYPT,
  },
  "CBC write": { call: (bytes) => cbc.write(allOver(), bytes), than: ENCRYPT },
  "CBC read": { call: (bytes) => cbc.read(allOver(), bytes), than: DECRYPT },
  "portable XTS write": {
    call: (bytes) => portableXts.write(allOver(), bytes),
    than: "XTS write, in 4 GiB",
    portable: true,
  },
  "portable XTS read": {
    call: (bytes) => portableXts.read(allOver(), bytes),
    than: "XTS read, in 4 GiB",
    portable: true,
  },
};

/** Time of one turn of `subject`, in µs for each block. */
function measure(subject: Subject, bytes: Uint8Array): number {
  const total = TURN_BYTES[subject.portable ? "portable" : "native"];
  const calls = total / bytes.length;
  const start = performance.now();
  const blocks = bytes.length / BLOCK_SIZE;
  for (let i = 0; i < calls; i++) subject.call(bytes, blocks);
  return (performance.now() - start) * 1000 / (total / BLOCK_SIZE);
}

/** Another order each round, so that no subject always follows the same one. */
function shuffled(names: string[]): string[] {
  const keys = new Map(names.map((name) => [name, Math.random()]));
  return names.sort((a, b) => keys.get(a)! - keys.get(b)!);
}

const median = (numbers: number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

console.log("µs for 4 KiB, and the rate as a multiple of another's");
for (const blocks of [1, 32]) {
  const bytes = new Uint8Array(blocks * BLOCK_SIZE).fill(1);
  const times = new Map<string, number[]>();
  for (const name of Object.keys(SUBJECTS)) times.set(name, []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of shuffled(Object.keys(SUBJECTS))) {
      times.get(name)!.push(measure(SUBJECTS[name], bytes));
    }
  }
  console.log(`\n${blocks === 1 ? "1 block" : `${blocks} blocks`} a call`);
  for (const [name, { than }] of Object.entries(SUBJECTS)) {
    const own = times.get(name)!;
    let line = `${name.padEnd(24)} ${median(own).toFixed(2).padStart(8)}`;
    if (than) {
      const ratios = own.map((time, round) => times.get(than)![round] / time);
      line += `   ${median(ratios).toFixed(2)} of ${than}`;
    }
    console.log(line);
  }
}
for (const device of [xts, portableXts, cbc]) device.close();
encryptor.close();
decryptor.close();
