import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { makeKeySlot } from "../keys/key_slot.ts";
import {
  anchorPlace,
  type Descriptor,
  descriptorDigest,
  formatDescriptor,
  hasKey,
  type KeyedDescriptor,
  parseDescriptor,
  signDescriptor,
  verifyDescriptor,
} from "./descriptor.ts";
import { VolumeIntegrityError } from "./errors.ts";

const KEY = new Uint8Array(32).fill(9);
const FAST = { n: 1024, r: 8, p: 1 };

function keyed(): KeyedDescriptor {
  const master = new Uint8Array(32).fill(5);
  const bytes = new TextEncoder().encode("secret");
  return signDescriptor({
    nextfs: 2,
    id: "0123abcd-4567-489a-bcde-f0123456789a",
    device: "vericrypt",
    blockSize: 4096,
    blockCount: 1000,
    journalSize: 1 << 20,
    anchor: "beside",
    keys: [
      makeKeySlot(master, { kind: "passphrase", bytes }, {
        id: 0,
        label: "ö",
        scrypt: FAST,
      }),
      makeKeySlot(master, { kind: "keyfile", bytes: new Uint8Array(40) }, {
        id: 2,
      }),
    ],
  }, KEY);
}

const PLAIN: Descriptor = {
  nextfs: 2,
  id: "0123abcd-4567-489a-bcde-f0123456789a",
  device: "std",
  blockSize: 1024,
  blockCount: 1,
  journalSize: 2 ** 30,
};

/** The same without a journal, as the first version of the format had it. */
function withoutJournal(descriptor: Descriptor): Descriptor {
  const old = { ...descriptor, nextfs: 1, journalSize: undefined } as const;
  const same = hasKey(old) ? { ...old, anchor: undefined } : old;
  return JSON.parse(JSON.stringify(same));
}

function parse(value: unknown): Descriptor {
  return parseDescriptor(new TextEncoder().encode(JSON.stringify(value)));
}

function refuses(value: unknown, message: RegExp): void {
  assert.throws(
    () => parse(value),
    (error) => {
      assert(error instanceof VolumeIntegrityError);
      assert.match(error.message, message);
      return true;
    },
    `${message}`,
  );
}

Deno.test("a descriptor is read as it was written", () => {
  for (const descriptor of [keyed(), PLAIN]) {
    for (
      const [nextfs, one] of [[2, descriptor], [
        1,
        withoutJournal(descriptor),
      ]] as const
    ) {
      const bytes = formatDescriptor(one);
      assert.deepEqual(parseDescriptor(bytes), one);
      const text = new TextDecoder().decode(bytes);
      assert.ok(text.startsWith(`{\n  "nextfs": ${nextfs},\n`));
    }
  }
  assert.deepEqual(
    [PLAIN, keyed(), withoutJournal(keyed())].map(anchorPlace),
    ["none", "beside", "beside"],
  );
});

Deno.test("the MAC is HMAC-SHA-256 of the canonical JSON of all the rest", () => {
  const descriptor = keyed();
  // The fields by hand, in the order of their names.
  const slots = descriptor.keys.map((slot) =>
    JSON.stringify(
      slot,
      [
        "created",
        "id",
        "kind",
        "label",
        "salt",
        "scrypt",
        "n",
        "p",
        "r",
        "wrapped",
      ],
    )
  );
  const text = `{"anchor":"beside","blockCount":1000,"blockSize":4096,` +
    `"device":"vericrypt","id":"${descriptor.id}","journalSize":1048576,` +
    `"keys":[${slots}],"nextfs":2}`;
  const mac = createHmac("sha256", KEY).update(text).digest("hex");
  assert.equal(descriptor.mac, mac);
});

/** Every leaf of a JSON value, as a path of names. */
function paths(
  value: unknown,
  at: (string | number)[] = [],
): (string | number)[][] {
  if (value === null || typeof value !== "object") return [at];
  return Object.entries(value).flatMap(([name, field]) =>
    paths(field, [...at, Array.isArray(value) ? Number(name) : name])
  );
}

Deno.test("a change of any field is refused by its form or by the MAC", () => {
  const descriptor = keyed();
  verifyDescriptor(descriptor, KEY);
  const digest = descriptorDigest(descriptor).toHex();
  const all = paths(descriptor);
  assert.equal(all.length, 22);
  for (const path of all) {
    const changed = structuredClone(descriptor);
    // deno-lint-ignore no-explicit-any
    let parent: any = changed;
    for (const name of path.slice(0, -1)) parent = parent[name];
    const name = path.at(-1)!;
    const value = parent[name];
    parent[name] = typeof value === "number"
      ? value * 2 || 1
      : value.replace(/[0-9a-f]$|.$/, (c: string) => c === "0" ? "1" : "0");
    assert.throws(
      () => verifyDescriptor(parse(changed) as KeyedDescriptor, KEY),
      VolumeIntegrityError,
      path.join("."),
    );
    assert.notEqual(descriptorDigest(changed).toHex(), digest);
  }
});

Deno.test("a slot that is added, removed or exchanged breaks the MAC", () => {
  const descriptor = keyed();
  const [a, b] = descriptor.keys;
  for (const keys of [[a], [b], [a, b, { ...a, id: 3 }]]) {
    assert.throws(
      () => verifyDescriptor({ ...descriptor, keys }, KEY),
      /not authentic/,
    );
  }
  const other = new Uint8Array(32).fill(8);
  assert.throws(() => verifyDescriptor(descriptor, other), /not authentic/);
});

Deno.test("parseDescriptor() says what is wrong, and where", () => {
  const good = JSON.parse(JSON.stringify(keyed()));
  const slot = good.keys[0];
  const cases: [unknown, RegExp][] = [
    [{ ...good, nextfs: 3 }, /made by a newer nextfs: format 3.* knows 2$/],
    [{ nextfs: 7, all: "else" }, /made by a newer nextfs: format 7/],
    [{ ...good, nextfs: 0 }, /nextfs: not one of 2, 1$/],
    [{ ...good, nextfs: "2" }, /nextfs: not one of 2, 1$/],
    [{ ...good, extra: 1 }, /damaged: extra: unknown field$/],
    [{ ...good, id: undefined }, /id: not a text$/],
    [{ ...good, id: good.id.toUpperCase() }, /id: not of the right form$/],
    [{ ...good, device: "raid" }, /device: not one of std, crypt, verity/],
    [{ ...good, device: "std" }, /anchor: unknown field$/],
    [{ ...good, device: "std", anchor: undefined }, /keys: unknown field$/],
    [{ ...PLAIN, device: "crypt" }, /keys: not an array$/],
    [{ ...good, blockSize: 512 }, /blockSize: not one of 1024, 2048, 4096$/],
    [{ ...good, blockCount: 0 }, /blockCount: not a whole number from 1 to/],
    [{ ...good, blockCount: 2 ** 32 }, /blockCount: not a whole number/],
    [{ ...good, blockCount: 1.5 }, /blockCount: not a whole number/],
    [{ ...good, journalSize: undefined }, /journalSize: missing$/],
    [{ ...good, journalSize: 2 ** 20 - 1 }, /journalSize: not a whole number/],
    [{ ...good, journalSize: 2 ** 30 + 1 }, /journalSize: not a whole number/],
    [{ ...good, journalSize: "1048576" }, /journalSize: not a whole number/],
    [{ ...good, anchor: undefined }, /anchor: missing$/],
    [{ ...good, anchor: "nearby" }, /anchor: not one of beside, apart, none$/],
    [{ ...good, nextfs: 1 }, /journalSize: unknown field$/],
    [{ ...good, nextfs: 1, journalSize: undefined }, /anchor: unknown field$/],
    [{ ...PLAIN, nextfs: 1 }, /journalSize: unknown field$/],
    [{ ...PLAIN, anchor: "none" }, /anchor: unknown field$/],
    [{ ...PLAIN, journalSize: null }, /journalSize: not a whole number/],
    [{ ...good, keys: [] }, /keys: 0 of them; 1 to 16 may be$/],
    [{ ...good, keys: Array(17).fill(slot) }, /keys: 17 of them; 1 to 16/],
    [{ ...good, keys: [slot, slot] }, /keys\[1\]\.id: not in ascending/],
    [{ ...good, keys: [{ ...slot, x: 1 }] }, /keys\[0\]\.x: unknown field$/],
    [
      { ...good, keys: [{ ...slot, scrypt: { n: 2 ** 30, r: 8, p: 1 } }] },
      /keys\[0\]\.scrypt: .* more than 1 GiB$/,
    ],
    [{ ...good, mac: "" }, /mac: not 32 bytes in hexadecimal$/],
    [[good], /not a JSON object$/],
    [null, /not a JSON object$/],
    [7, /not a JSON object$/],
    ["x".repeat(70_000), /longer than 65536 bytes$/],
  ];
  for (const [value, message] of cases) refuses(value, message);
});

Deno.test("parseDescriptor() refuses what is not JSON in UTF-8", () => {
  const text = new TextDecoder().decode(formatDescriptor(PLAIN));
  for (const broken of ["", text.slice(0, -3), `${text}x`, "\0", "NaN"]) {
    const bytes = new TextEncoder().encode(broken);
    assert.throws(() => parseDescriptor(bytes), /damaged: not JSON/);
  }
  assert.throws(() => parseDescriptor(Uint8Array.of(0xff)), /not UTF-8/);
  const proto = text.replace("{", '{"__proto__": {},');
  assert.throws(
    () => parseDescriptor(new TextEncoder().encode(proto)),
    /__proto__: unknown field/,
  );
});
