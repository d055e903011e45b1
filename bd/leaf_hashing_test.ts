import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { DIGEST_BYTES, type HashAlgorithm } from "./hmac.ts";
import {
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
  if (options.workers) await untilReady(hasher);
  const size = DIGEST_BYTES[algorithm];
  const block = new Uint8Array(blockSize);
  let next = 0;
  const read = (first: number, into: Uint8Array): void => {
    for (let at = 0; at < into.length; at += blockSize) {
      fill(first + at / blockSize, into.subarray(at, at + blockSize));
    }
  };
  for (const run of hasher.hashRuns(runsOf(count, per), read)) {
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

/** Resolves when a worker has started. */
async function untilReady(hasher: LeafHasher): Promise<void> {
  while (!hasher.hasWorkers) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

Deno.test("LeafHasher hashes before its workers have started", async () => {
  const options = { key, blockSize: 1024, workers: 1 };
  const hasher = new LeafHasher({ algorithm: "sha256", ...options });
  const runs = [...hasher.hashRuns(runsOf(9, 4), (_, into) => into.fill(1))];
  assert.deepEqual(runs.map(({ count }) => count), [4, 4, 1]);
  await untilReady(hasher);
  hasher.close();
});

Deno.test("LeafHasher leaves the caller's key alone", () => {
  const mine = key.slice();
  const options = { algorithm: "sha256", blockSize: 1024, workers: 1 } as const;
  new LeafHasher({ ...options, key: mine }).close();
  assert.deepEqual(mine, key);
});

Deno.test("an error of reading ends hashRuns(), and the hasher goes on", async () => {
  const options = { key, blockSize: 1024, workers: 1 };
  const hasher = new LeafHasher({ algorithm: "sha256", ...options });
  await untilReady(hasher);
  const runs = hasher.hashRuns(runsOf(400, 100), (first) => {
    if (first === 300) throw new Error("unreadable");
  });
  assert.throws(() => [...runs], /unreadable/);
  const again = hasher.hashRuns(runsOf(400, 100), () => {});
  assert.equal([...again].length, 4);
  hasher.close();
  hasher.close();
});

Deno.test("whoever leaves hashRuns() early leaves the hasher in order", async () => {
  const options = { key, blockSize: 1024, workers: 2 };
  const hasher = new LeafHasher({ algorithm: "sha256", ...options });
  await untilReady(hasher);
  for (let i = 0; i < 20; i++) {
    for (const run of hasher.hashRuns(runsOf(2000, 100), () => {})) {
      if (run.first === 300) break;
    }
  }
  hasher.close();
});

Deno.test("LeafHasher does without workers that cannot be had", async () => {
  const module = new URL("./leaf_hashing.ts", import.meta.url);
  const script = `import { LeafHasher } from ${JSON.stringify(module)};
    const options = { key: new Uint8Array(32), blockSize: 1024, workers: 2 };
    const hasher = new LeafHasher({ algorithm: "sha256", ...options });
    for (let i = 0; i < 100; i++) {
      for (const run of hasher.hashRuns([{ first: 0, count: 1 }], () => {})) {
        if (i % 99 === 0) console.log(run.count, run.digests.toHex());
      }
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
    `1 ${digest}\n`.repeat(2),
  );
});
