/**
 * SIGKILL of commands on a volume that nobody serves: changes of keys, a new
 * master key, and the making of volumes.
 *
 * Whenever it comes, the volume is as it was before a command or after it, and
 * nothing that is left is in the way of the same command.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  type AnchorPlace,
  type DeviceKind,
  openVolume,
  WrongKeyError,
} from "../../bd/volume/mod.ts";
import { Random } from "../support/random.ts";
import { withTempDir } from "../support/tools.ts";
import {
  ask,
  contents,
  names,
  newVolume,
  withVolume,
  writeBlocks,
} from "../support/volumes.ts";
import {
  type CommandName,
  INIT_DEVICES,
  initContents,
  keyAfter,
  type Killed,
  runAndKill,
  runCommand,
} from "./offline_process.ts";

/** Kills of each command on each volume. */
const KILLS = 6;
/** Time from the start of the first command to the kill, at most. */
const AFTER_MS_MAX = 80;

/** A volume on which commands are killed. */
interface Specimen {
  readonly path: string;
  readonly anchorPath?: string;
  /** All of its plaintext. */
  readonly plain: Uint8Array;
}

async function makeSpecimen(
  dir: string,
  device: DeviceKind,
  anchor: AnchorPlace,
): Promise<Specimen> {
  const path = `${dir}/v`;
  const anchorPath = anchor === "apart" ? `${dir}/anchor` : undefined;
  const options = anchorPath === undefined ? {} : { anchorPath };
  await newVolume(path, device, { anchor, ...options });
  const plain = await withVolume(path, async (volume) => {
    await writeBlocks(volume, { 1: 1, 2: 2, 50: 3 });
    await writeBlocks(volume, { 2: 4 });
    return contents(volume);
  }, options);
  return { path, ...options, plain };
}

/** Which of the key files open it; all it holds must be right. */
async function fitting(
  { path, anchorPath, plain }: Specimen,
  { readOnly }: { readOnly: boolean },
): Promise<number[]> {
  const keys: number[] = [];
  for (const key of [1, 2]) {
    const options = { secret: ask(key), anchorPath, readOnly };
    try {
      const volume = await openVolume(path, options);
      const found = contents(volume);
      volume.close();
      assert.deepEqual(found, plain);
      keys.push(key);
    } catch (error) {
      assert.ok(error instanceof WrongKeyError, String(error));
    }
  }
  return keys;
}

/** The key files that fit when so many commands were done. */
const FITTING: Partial<Record<CommandName, (count: number) => number[]>> = {
  replace: (count) => [keyAfter(count)],
  slots: (count) => count % 2 === 0 ? [1] : [1, 2],
  rekey: () => [1],
};

/** Kills a command now and then; returns how often it was on its way. */
async function killAll(
  name: CommandName,
  specimen: Specimen,
  random: Random,
): Promise<number> {
  const { path, anchorPath } = specimen;
  const files = names(path);
  let done = 0;
  let hits = 0;
  for (let i = 0; i < KILLS; i++) {
    const afterMs = random.below(AFTER_MS_MAX);
    const killed = await runAndKill(name, { path, anchorPath, done }, {
      afterMs,
    });
    if (killed.begun > killed.ended) hits++;
    done = await settledCount(name, specimen, killed);
    // The next one of its kind finds nothing in its way, and leaves nothing.
    const number = ++done;
    await runCommand(name, { path, anchorPath, number });
    assert.deepEqual(names(path), files);
    const keys = await fitting(specimen, { readOnly: true });
    assert.deepEqual(keys, FITTING[name]!(done));
  }
  return hits;
}

/** How many commands were done, as the volume says: all that have ended. */
async function settledCount(
  name: CommandName,
  specimen: Specimen,
  { begun, ended }: Killed,
): Promise<number> {
  const keys = await fitting(specimen, { readOnly: true });
  const count = [begun, ended].find((one) =>
    String(FITTING[name]!(one)) === String(keys)
  );
  assert.ok(count !== undefined, `${name} ${ended}, ${begun}: keys ${keys}`);
  // Who opens it to write decides nothing else.
  assert.deepEqual(await fitting(specimen, { readOnly: false }), keys);
  return count;
}

const SPECIMENS: Record<
  Exclude<CommandName, "init">,
  [DeviceKind, AnchorPlace][]
> = {
  replace: [["vericrypt", "beside"], ["verity", "apart"], ["crypt", "none"]],
  slots: [["vericrypt", "apart"], ["verity", "none"], ["crypt", "beside"]],
  rekey: [["vericrypt", "beside"], ["verity", "none"], ["crypt", "beside"]],
};

for (const name of ["replace", "slots", "rekey"] as const) {
  Deno.test(`${name} may be killed at any moment`, async () => {
    const random = new Random(name.length);
    let hits = 0;
    for (const [device, anchor] of SPECIMENS[name]) {
      await withTempDir(async (dir) => {
        const specimen = await makeSpecimen(dir, device, anchor);
        hits += await killAll(name, specimen, random);
      });
    }
    const kills = KILLS * SPECIMENS[name].length;
    console.log(`${name}: ${kills} kills, ${hits} while it was on its way`);
  });
}

Deno.test("init may be killed at any moment", () =>
  withTempDir(async (path) => {
    const random = new Random(4);
    let done = 0;
    let hits = 0;
    for (let i = 0; i < 2 * KILLS; i++) {
      const afterMs = random.below(AFTER_MS_MAX);
      const killed = await runAndKill("init", { path, done }, { afterMs });
      for (let number = done + 1; number <= killed.begun; number++) {
        if (!names(path).includes(String(number))) {
          assert.ok(number > killed.ended);
          hits++;
          await runCommand("init", { path, number });
        }
        await withVolume(`${path}/${number}`, (volume) => {
          const found = contents(volume);
          assert.deepEqual(found, initContents(found.length));
          const device = INIT_DEVICES[number % INIT_DEVICES.length];
          assert.equal(volume.descriptor.device, device);
        });
      }
      done = killed.begun;
    }
    console.log(`init: ${2 * KILLS} kills, ${hits} before it was done`);
  }));

Deno.test("what a killed init of the same process number left is not in the way", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    const left = [`v.partial-${Deno.pid}`, `v.partial-${Deno.pid}-1`];
    for (const name of left) Deno.mkdirSync(`${dir}/${name}`);
    await newVolume(path, "vericrypt");
    await withVolume(path, () => {});
    assert.deepEqual(names(dir), ["v", ...left]);
  }));

Deno.test("an anchor that comes to its place while a volume is made is left alone", () =>
  withTempDir(async (dir) => {
    const anchorPath = `${dir}/anchor`;
    const options = { anchor: "apart", anchorPath } as const;
    const making = newVolume(`${dir}/v`, "verity", {
      ...options,
      fill: async () => {
        await newVolume(`${dir}/first`, "verity", options);
      },
    });
    await assert.rejects(making, /exists/);
    assert.deepEqual(names(dir), ["anchor", "first"]);
    await withVolume(`${dir}/first`, () => {}, { anchorPath });
  }));
