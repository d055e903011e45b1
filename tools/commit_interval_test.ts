import assert from "node:assert/strict";
import { FaultyDevice } from "../bd/faulty.ts";
import { MemoryDevice } from "../bd/memory.ts";
import { Filesystem, format } from "../fs/mod.ts";
import { commitAtIntervals, commitInterval } from "./commit_interval.ts";

Deno.test("commitInterval() takes fractions, within its bounds", () => {
  const good = { "5": 5, "0.05": 0.05, ".5": 0.5, "3600": 3600, "1.": 1 };
  for (const [text, seconds] of Object.entries(good)) {
    assert.equal(commitInterval(text), seconds);
  }
  const bad = ["", "0", "0.049", "3600.1", "-1", "1e3", "0x10", "5s", " 5"];
  for (const text of [...bad, ".", "1,5", "NaN", "Infinity"]) {
    assert.throws(() => commitInterval(text), /from 0\.05 to 3600$/, text);
  }
});

/** Resolves when `condition` holds; fails when it does not in 5 seconds. */
async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail("what was waited for did not happen");
}

Deno.test("commits go on after failures, each of which is told once", async () => {
  const device = new FaultyDevice(new MemoryDevice(1024, 1024));
  format(device, { blank: true });
  const filesystem = Filesystem.open(device);
  const log: string[] = [];
  const end = Promise.withResolvers<void>();
  const { calls } = device;
  const tries = async (): Promise<void> => {
    const before = calls.write;
    await until(() => calls.write > before + 3);
  };
  device.rule = ({ kind }): "ENOSPC" | null =>
    kind === "write" ? "ENOSPC" : null;
  filesystem.mkdir(2, "made");
  const commits = commitAtIntervals(filesystem, {
    interval: 0.005,
    ended: end.promise,
    log: (line) => log.push(line),
  });
  await tries();
  assert.equal(log.length, 1);
  assert.match(log[0], /^Cannot make changes durable: ./);
  device.rule = ({ kind }): "EIO" | null => kind === "write" ? "EIO" : null;
  await until(() => log.length === 2);
  await tries();
  assert.equal(log.length, 2);
  assert.match(log[1], /^Cannot make changes durable: ./);
  device.rule = null;
  await until(() => log.length === 3);
  assert.match(log[2], /^Changes are durable again/);
  end.resolve();
  await commits;
  assert.equal(log.length, 3);
  await filesystem.close();
});

Deno.test("nothing is committed of what is read-only from the start", async () => {
  const device = new FaultyDevice(new MemoryDevice(1024, 1024));
  format(device, { blank: true });
  const filesystem = Filesystem.open(device, { readOnly: true });
  const { flush } = device.calls;
  const ended = new Promise<void>((resolve) => setTimeout(resolve, 50));
  const log = (line: string): never => assert.fail(line);
  await commitAtIntervals(filesystem, { interval: 0.001, ended, log });
  assert.equal(device.calls.flush, flush);
  await filesystem.close();
});
