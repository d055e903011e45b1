import assert from "node:assert/strict";
import { Random } from "../tests/support/random.ts";
import type { BlockDevice } from "./block_device.ts";
import {
  CIPHER_KEY_BYTES,
  type CipherName,
  CryptDevice,
  type CryptOptions,
} from "./crypt.ts";
import { failNth, FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";

const CIPHERS = Object.keys(CIPHER_KEY_BYTES) as CipherName[];
const BLOCK_SIZES = [1024, 2048, 4096];
const KEYS: Record<CipherName, Uint8Array> = {
  "aes-256-xts": new Random(1).bytes(64),
  "aes-256-cbc": new Random(2).bytes(32),
};

function encrypted(
  next: BlockDevice,
  cipher: CipherName,
  options: Partial<CryptOptions> = {},
): CryptDevice {
  return new CryptDevice(next, { cipher, key: KEYS[cipher], ...options });
}

function readAll(
  device: BlockDevice,
  block: number,
  count: number,
): Uint8Array {
  const into = new Uint8Array(count * device.blockSize);
  device.read(block, into);
  return into;
}

/** A view of `bytes` that does not start at a multiple of 4 bytes. */
function unaligned(bytes: Uint8Array): Uint8Array {
  const view = new Uint8Array(bytes.length + 1).subarray(1);
  view.set(bytes);
  return view;
}

for (const cipher of CIPHERS) {
  for (const blockSize of BLOCK_SIZES) {
    Deno.test(`CryptDevice reads what it wrote: ${cipher}, ${blockSize}`, () => {
      const random = new Random(blockSize);
      const blockCount = 600;
      const stores = [1, 2].map(() => new MemoryDevice(blockSize, blockCount));
      const [native, portable] = stores.map((store, i) =>
        encrypted(store, cipher, { provider: i ? "portable" : "native" })
      );
      const model = new Uint8Array(blockCount * blockSize);
      for (const device of [native, portable]) device.write(0, model);
      for (let turn = 0; turn < 25; turn++) {
        const count = 1 + random.below(random.chance(0.7) ? 9 : 300);
        const block = random.below(blockCount - count + 1);
        const plain = random.bytes(count * blockSize);
        const from = turn % 2 ? plain.slice() : unaligned(plain);
        for (const device of [native, portable]) device.write(block, from);
        assert.deepEqual(from, turn % 2 ? plain : unaligned(plain));
        model.set(plain, block * blockSize);
      }
      const [stored, same] = stores.map((store) =>
        readAll(store, 0, blockCount)
      );
      assert.deepEqual(stored, same);
      for (const device of [native, portable]) {
        const into = unaligned(new Uint8Array(model.length));
        device.read(0, into);
        assert.deepEqual(into, unaligned(model));
        for (let turn = 0; turn < 25; turn++) {
          const block = random.below(blockCount);
          const at = block * blockSize;
          assert.deepEqual(
            readAll(device, block, 1),
            model.slice(at, at + blockSize),
          );
        }
        device.close();
      }
    });
  }

  Deno.test(`CryptDevice stores a run as it stores its blocks: ${cipher}`, () => {
    const [blockSize, count] = [1024, 300];
    const first = 2 ** 32 - 150;
    const plain = new Random(3).bytes(count * blockSize);
    const run = new MemoryDevice(blockSize, 2 ** 50);
    const single = new MemoryDevice(blockSize, 2 ** 50);
    const [byRun, byBlock] = [run, single].map((next) =>
      encrypted(next, cipher)
    );
    byRun.write(first, plain);
    for (let i = count - 1; i >= 0; i--) {
      const at = i * blockSize;
      byBlock.write(first + i, plain.subarray(at, at + blockSize));
    }
    const stored = readAll(run, first, count);
    assert.deepEqual(readAll(single, first, count), stored);
    assert.notDeepEqual(stored, plain);
    assert.deepEqual(readAll(byBlock, first, count), plain);
    byRun.close();
    byBlock.close();
  });

  Deno.test(`CryptDevice uses all 53 bits of a block number: ${cipher}`, () => {
    const store = new MemoryDevice(1024, Number.MAX_SAFE_INTEGER);
    const device = encrypted(store, cipher);
    const plain = new Random(4).bytes(1024);
    const seen = new Set<string>();
    const blocks = [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 33, 2 ** 52];
    for (const block of blocks) {
      device.write(block, plain);
      seen.add(readAll(store, block, 1).toHex());
      assert.deepEqual(readAll(device, block, 1), plain);
    }
    assert.equal(seen.size, blocks.length);
    device.close();
  });

  Deno.test(`CryptDevice passes errors on and stays usable: ${cipher}`, async () => {
    const store = new MemoryDevice(4096, 200);
    const faulty = new FaultyDevice(store);
    const device = encrypted(faulty, cipher);
    const [old, plain] = [5, 6].map((seed) => new Random(seed).bytes(4096));
    const run = new Random(7).bytes(100 * 4096);
    device.write(3, old);
    for (const [code, bytes] of [["ENOSPC", plain], ["EIO", run]] as const) {
      faulty.rule = failNth("write", faulty.calls.write + 1, code);
      assert.throws(() => device.write(3, bytes), { code });
    }
    faulty.rule = failNth("read", faulty.calls.read + 1);
    assert.throws(() => readAll(device, 3, 1), { code: "EIO" });
    faulty.rule = failNth("flush", faulty.calls.flush + 1);
    await assert.rejects(device.flush(), { code: "EIO" });
    faulty.rule = null;
    await device.flush();
    device.write(3, run);
    assert.deepEqual(readAll(device, 3, 100), run);
    device.close();
  });

  Deno.test(`CryptDevice copies the key, and gives it up: ${cipher}`, () => {
    const store = new MemoryDevice(1024, 8);
    const key = KEYS[cipher].slice();
    const device = encrypted(store, cipher, { key });
    key.fill(0);
    const plain = new Random(8).bytes(1024);
    device.write(5, plain);
    const other = encrypted(store.copy(), cipher);
    assert.deepEqual(readAll(other, 5, 1), plain);
    other.close();
    device.close();
    device.close();
    const refused = { name: "DeviceError", code: "EBADF" };
    assert.throws(() => readAll(device, 5, 1), refused);
    assert.throws(() => device.write(5, plain), refused);
    assert.throws(() => readAll(store, 5, 1), refused, "it is closed as well");
  });
}

Deno.test("CryptDevice reads stored zeros as zeros only if it is sparse", () => {
  for (const blockSize of BLOCK_SIZES) {
    const store = new MemoryDevice(blockSize, 400);
    const sparse = encrypted(store, "aes-256-xts", { sparse: true });
    const dense = encrypted(store, "aes-256-xts");
    const zeros = new Uint8Array(blockSize);
    const block = new Random(9).bytes(blockSize);
    // Zeros but for the last byte are not zeros.
    const almost = zeros.slice();
    almost[blockSize - 1] = 1;
    sparse.write(2, block);
    sparse.write(3, zeros);
    store.write(5, almost);
    sparse.write(399, block);
    assert.notDeepEqual(readAll(store, 3, 1), zeros);
    const into = unaligned(new Uint8Array(400 * blockSize).fill(0xaa));
    sparse.read(0, into);
    const found = (index: number): Uint8Array =>
      into.slice(index * blockSize, (index + 1) * blockSize);
    for (const index of [0, 1, 3, 4, 6, 200, 398]) {
      assert.deepEqual(found(index), zeros, `block ${index}`);
    }
    assert.deepEqual(found(2), block);
    assert.deepEqual(found(399), block);
    assert.deepEqual(found(5), readAll(dense, 5, 1));
    assert.deepEqual(readAll(sparse, 0, 1), zeros);
    assert.notDeepEqual(readAll(dense, 0, 1), zeros);
    assert.deepEqual(readAll(dense, 2, 1), block);
    sparse.close();
    dense.close();
  }
});

Deno.test("CryptDevice refuses what is not whole blocks inside it", () => {
  const device = encrypted(new MemoryDevice(1024, 300), "aes-256-xts");
  const refused = { name: "DeviceError", code: "EINVAL" };
  for (
    const [block, size] of [
      [300, 1024],
      [-1, 1024],
      [0, 1000],
      [0.5, 1024],
      [1, 300 * 1024],
    ]
  ) {
    const bytes = new Uint8Array(size);
    assert.throws(() => device.read(block, bytes), refused);
    assert.throws(() => device.write(block, bytes), refused);
  }
  device.read(300, new Uint8Array(0));
  device.close();
});

Deno.test("CryptDevice refuses keys, ciphers and blocks that do not fit", () => {
  const store = new MemoryDevice(1024, 1);
  const [xts, cbc] = CIPHERS;
  const twice = new Uint8Array(64).fill(3);
  const cases: [BlockDevice, CryptOptions, RegExp][] = [
    [store, { cipher: xts, key: KEYS[cbc] }, /64 bytes/],
    [store, { cipher: cbc, key: KEYS[xts] }, /32 bytes/],
    [store, { cipher: xts, key: twice }, /both halves of it are the same/],
    [
      store,
      { cipher: "aes-128-cbc" as CipherName, key: KEYS[cbc] },
      /use aes-256-xts or aes-256-cbc/,
    ],
    [new MemoryDevice(512, 1), { cipher: xts, key: KEYS[xts] }, /1024, 2048/],
    [new MemoryDevice(3072, 1), { cipher: xts, key: KEYS[xts] }, /1024, 2048/],
    [new MemoryDevice(8192, 1), { cipher: xts, key: KEYS[xts] }, /1024, 2048/],
  ];
  for (const [next, options, message] of cases) {
    assert.throws(() => new CryptDevice(next, options), {
      name: "DeviceError",
      code: "EINVAL",
      message,
    });
  }
  assert.deepEqual(readAll(store, 0, 1), new Uint8Array(1024));
});

Deno.test("CryptDevice is read-only where the next device is", () => {
  const next = new MemoryDevice(1024, 4);
  const refusing: BlockDevice = {
    blockSize: 1024,
    blockCount: 4,
    readOnly: true,
    read: (block, into) => next.read(block, into),
    write: () => assert.fail("written"),
    admitWrite: (block) => {
      throw new RangeError(`no write of block ${block}`);
    },
    flush: () => next.flush(),
    close: () => next.close(),
  };
  const device = encrypted(refusing, "aes-256-xts");
  assert.equal(device.readOnly, true);
  assert.throws(() => device.admitWrite(3), /no write of block 3/);
  device.close();
  const writable = encrypted(new MemoryDevice(1024, 4), "aes-256-xts");
  assert.equal(writable.readOnly, false);
  writable.admitWrite(3);
  writable.close();
});
