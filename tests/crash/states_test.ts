import assert from "node:assert/strict";
import type { VolumeFile } from "../../bd/volume/mod.ts";
import { Random } from "../support/random.ts";
import { Disk } from "./disk.ts";
import type { Contents, HostCall } from "./recording.ts";
import { crashStates, type StateOptions } from "./states.ts";

const MANY: StateOptions = { missing: 100, random: 400, torn: 40 };

function blank(byteLength = 2048): Contents {
  const files: VolumeFile[] = ["image", "journal"];
  return new Map(files.map((name) => [name, new Uint8Array(byteLength)]));
}

function write(
  file: VolumeFile,
  position: number,
  { fill, length = 512 }: { fill: number; length?: number },
): HostCall {
  const bytes = new Uint8Array(length).fill(fill);
  return { kind: "write", file, position, bytes };
}

/** What the first bytes of sectors may be at the end of a log. */
function outcomes(
  log: readonly HostCall[],
  places: readonly [VolumeFile, number][],
): string[] {
  const found = new Set<string>();
  for (const state of crashStates(blank(), log, new Random(1), MANY)) {
    if (state.calls < log.length) continue;
    const files = state.contents();
    found.add(places.map(([file, at]) => files.get(file)![at]).join(""));
  }
  return [...found].sort();
}

Deno.test("writes that were not synced are there in any combination", () => {
  const log = [
    write("image", 0, { fill: 1 }),
    write("image", 512, { fill: 2 }),
    write("journal", 0, { fill: 3 }),
  ];
  const places = [["image", 0], ["image", 512], ["journal", 0]] as const;
  assert.deepEqual(
    outcomes(log, places.map(([file, at]) => [file, at])),
    ["000", "003", "020", "023", "100", "103", "120", "123"],
  );
});

Deno.test("a sync makes durable what its file was given before", () => {
  const log: HostCall[] = [
    write("image", 0, { fill: 1 }),
    write("journal", 0, { fill: 3 }),
    { kind: "sync", file: "image", start: 2 },
    write("image", 512, { fill: 2 }),
    { kind: "synced", file: "image", start: 2 },
  ];
  assert.deepEqual(
    outcomes(log, [["image", 0], ["image", 512], ["journal", 0]]),
    ["100", "103", "120", "123"],
  );
  assert.deepEqual(outcomes(log.slice(0, 4), [["image", 0]]), ["0", "1"]);
});

Deno.test("a write is torn between sectors, and nowhere else", () => {
  const log = [write("image", 0, { fill: 1, length: 1536 })];
  const found = outcomes(log, [
    ...[0, 511, 512, 1023, 1024, 1535].map((at): [VolumeFile, number] => [
      "image",
      at,
    ]),
  ]);
  assert.deepEqual(found, [
    ...["000000", "000011", "001100", "001111"],
    ...["110000", "110011", "111100", "111111"],
  ]);
});

Deno.test("after a sync that failed, only to write again helps", () => {
  const failing: HostCall[] = [
    write("image", 0, { fill: 1, length: 1024 }),
    { kind: "failed", file: "image", start: 1 },
    { kind: "sync", file: "image", start: 2 },
    { kind: "synced", file: "image", start: 2 },
  ];
  const places: [VolumeFile, number][] = [["image", 0], ["image", 512]];
  assert.ok(outcomes(failing, places).includes("00"));
  const again: HostCall[] = [
    ...failing,
    write("image", 512, { fill: 2 }),
    { kind: "sync", file: "image", start: 5 },
    { kind: "synced", file: "image", start: 5 },
  ];
  assert.deepEqual(outcomes(again, places), ["02", "12"]);
});

Deno.test("an earlier write never takes the place of a later one", () => {
  const log = [write("image", 0, { fill: 1 }), write("image", 0, { fill: 2 })];
  assert.deepEqual(outcomes(log, [["image", 0]]), ["0", "1", "2"]);
  const disk = new Disk(blank());
  log.forEach((call, index) => disk.apply(call, index));
  disk.apply({ kind: "sync", file: "image", start: 2 }, 2);
  disk.apply({ kind: "synced", file: "image", start: 2 }, 3);
  assert.equal(disk.durable.get("image")![0], 2);
  assert.equal(disk.loose.length, 0);
});

Deno.test("states have the same key if and only if they are the same", () => {
  const log: HostCall[] = [
    write("image", 0, { fill: 1, length: 1024 }),
    write("journal", 0, { fill: 2 }),
    { kind: "sync", file: "image", start: 2 },
    { kind: "synced", file: "image", start: 2 },
    write("image", 1024, { fill: 3 }),
    write("journal", 512, { fill: 4 }),
  ];
  const byKey = new Map<string, string>();
  const keys = new Map<string, string>();
  for (
    const { key, contents } of crashStates(blank(), log, new Random(2), MANY)
  ) {
    const text = [...contents().values()].map((bytes) => bytes.toHex()).join();
    assert.equal(byKey.get(key) ?? text, text);
    assert.equal(keys.get(text) ?? key, key);
    byKey.set(key, text);
    keys.set(text, key);
  }
  assert.ok(byKey.size >= 12, `only ${byKey.size} states`);
});
