import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { DIGEST_BYTES, type HashAlgorithm } from "./hmac.ts";
import {
  HASH_RUN_BYTES,
  LeafHasher,
  type LeafHasherOptions,
  type LeafRun,
} from "./leaf_hashing.ts";

const key = new Uint8Array(32).map((_, i) => i * 7);

/** What block `n` of the imagined device holds. */
function fill(n: number, into: Uint8Array): void {
  into.fill(n).set([n >> 16, n >> 8, n]);
}

/** Runs of `per` blocks that make up `count` blocks. */
function* runsOf(count: number, per: number): Generator<LeafRun> {
  for (let first = 0; first < count; first += per) {
    yield { first, count: Math.min(per, count - first) };
  }
}

/** Hashes `count` blocks and compares with OpenSSL's digests. */
async function check(
  options: LeafHasherOptions,
  count: number,
  per: number,
): Promise<void> {
  const { algorithm, blockSize } = options;
  const hasher = new LeafHasher(options);
  const size = DIGEST_BYTES[algorithm];
  const block = new Uint8Array(blockSize);
  let next = 0;
  const read = (first: number, into: Uint8Array): void => {
    for (let at = 0; at < into.length; at += blockSize) {
      fill(first + at / blockSize, into.subarray(at, at + blockSize));
    }
  };
  for await (const run of hasher.hashRuns(runsOf(count, per), read)) {
    assert.equal(run.first, next);
    assert.equal(run.bytes.length, run.count * blockSize);
    assert.equal(run.digests.length, run.count * size);
    for (let i = 0; i < run.count; i++) {
      fill(next + i, block);
      const hash = options.key
        ? createHmac(algorithm, options.key)
        : createHash(algorithm);
      const digest = run.digests.subarray(i * size, (i + 1) * size);
      assert.equal(digest.toHex(), hash.update(block).digest("hex"));
      assert.deepEqual(
        run.bytes.subarray(i * blockSize, (i + 1) * blockSize),
        block,
      );
    }
    next += run.count;
  }
  assert.equal(next, count);
  hasher.close();
}

for (const workers of [0, 1, 3]) {
  Deno.test(`LeafHasher with ${workers} workers hashes as OpenSSL does, in order`, async () => {
    const algorithm = "sha256";
    await check({ algorithm, key, blockSize: 4096, workers }, 3000, 256);
    await check({ algorithm, key: null, blockSize: 1024, workers }, 700, 64);
  });
}

Deno.test("LeafHasher knows every algorithm", async () => {
  for (const algorithm of Object.keys(DIGEST_BYTES) as HashAlgorithm[]) {
    await check({ algorithm, key, blockSize: 2048, workers: 0 }, 9, 4);
  }
});

Deno.test("LeafHasher of no runs yields none", async () => {
  await check({ algorithm: "md5", key, blockSize: 1024 }, 0, 1);
});

/** Hashes until a worker has answered. */
async function untilReady(hasher: LeafHasher): Promise<void> {
  for (let detached = false; !detached;) {
    const bytes = new Uint8Array(1024);
    const hashed = hasher.hash(bytes);
    detached = bytes.byteLength === 0;
    await hashed;
  }
}

Deno.test("LeafHasher hands runs to workers as soon as these are there", async () => {
  const options = { key, blockSize: 1024, workers: 2 };
  const hasher = new LeafHasher({ algorithm: "sha256", ...options });
  await untilReady(hasher);
  hasher.close();
});

Deno.test("LeafHasher leaves the caller's key alone", () => {
  const mine = key.slice();
  const options = { algorithm: "sha256", blockSize: 1024, workers: 1 } as const;
  new LeafHasher({ ...options, key: mine }).close();
  assert.deepEqual(mine, key);
});

Deno.test("LeafHasher.close() gives up the runs under way", async () => {
  const options = { key, blockSize: 1024, workers: 1 };
  const hasher = new LeafHasher({ algorithm: "sha256", ...options });
  await untilReady(hasher);
  const refused = assert.rejects(
    hasher.hash(new Uint8Array(HASH_RUN_BYTES)),
    /the hasher was closed/,
  );
  hasher.close();
  hasher.close();
  await refused;
});

Deno.test("an error of reading ends hashRuns()", async () => {
  const options = { key, blockSize: 1024, workers: 1 };
  const hasher = new LeafHasher({ algorithm: "sha256", ...options });
  await untilReady(hasher);
  const runs = hasher.hashRuns(runsOf(40, 10), (first) => {
    if (first === 30) throw new Error("unreadable");
  });
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const { first } of runs) seen.push(first);
  }, /unreadable/);
  // Two runs are in the works when the last is to be read.
  assert.deepEqual(seen, [0, 10]);
  hasher.close();
});

Deno.test("LeafHasher does without workers that cannot be had", async () => {
  const module = new URL("./leaf_hashing.ts", import.meta.url);
  const script = `import { LeafHasher } from ${JSON.stringify(module)};
    const options = { key: new Uint8Array(32), blockSize: 1024, workers: 2 };
    const hasher = new LeafHasher({ algorithm: "sha256", ...options });
    for (let i = 0; i < 100; i++) {
      const bytes = new Uint8Array(1024);
      const { digests } = await hasher.hash(bytes);
      if (i === 0 || i === 99) console.log(bytes.length, digests.toHex());
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    hasher.close();`;
  const config = new URL("../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    // Without permission to read, the module of a worker cannot be loaded.
    args: ["run", "-q", `--config=${config}`, "--no-prompt", "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const digest = createHmac("sha256", new Uint8Array(32))
    .update(new Uint8Array(1024)).digest("hex");
  assert.equal(
    new TextDecoder().decode(stdout),
    `1024 ${digest}\n`.repeat(2),
  );
});
