import assert from "node:assert/strict";
import { FieldError } from "../json_fields.ts";
import {
  keySlot,
  makeKeySlot,
  MASTER_KEY_BYTES,
  openKeySlot,
  type Secret,
} from "./key_slot.ts";

const MASTER = crypto.getRandomValues(new Uint8Array(MASTER_KEY_BYTES));
const FAST = { n: 1024, r: 8, p: 1 };

function passphrase(text: string): Secret {
  return { kind: "passphrase", bytes: new TextEncoder().encode(text) };
}

function keyFile(fill: number, length = 32): Secret {
  return { kind: "keyfile", bytes: new Uint8Array(length).fill(fill) };
}

Deno.test("a slot opens by its own secret and by no other", () => {
  const secrets = [
    passphrase("correct horse"),
    passphrase("correct horse "),
    keyFile(1),
    keyFile(1, 33),
    keyFile(2),
    // The same bytes as a key file's, but a passphrase.
    { ...keyFile(1), kind: "passphrase" as const },
  ];
  const slots = secrets.map((secret, id) =>
    makeKeySlot(MASTER, secret, { id, scrypt: FAST })
  );
  for (const [i, slot] of slots.entries()) {
    for (const [j, secret] of secrets.entries()) {
      const key = openKeySlot(slot, secret);
      assert.deepEqual(key, i === j ? MASTER : null, `${i} by ${j}`);
    }
  }
});

Deno.test("a slot survives JSON, and keeps what was said about it", () => {
  const secret = passphrase("x");
  const created = "2026-01-02T03:04:05.678Z";
  const made = makeKeySlot(MASTER, secret, {
    id: 3,
    label: "Anna’s",
    created,
    scrypt: FAST,
  });
  const read = keySlot(JSON.parse(JSON.stringify(made)), "slot");
  assert.deepEqual(read, made);
  assert.deepEqual([read.id, read.label, read.created], [3, "Anna’s", created]);
  assert.deepEqual(openKeySlot(read, secret), MASTER);
});

Deno.test("two slots of one secret have nothing in common", () => {
  const [a, b] = [0, 1].map((id) => makeKeySlot(MASTER, keyFile(7), { id }));
  assert.notEqual(a.salt, b.salt);
  assert.notEqual(a.wrapped, b.wrapped);
});

Deno.test("other scrypt parameters than those it was made with open nothing", () => {
  const secret = passphrase("x");
  const slot = makeKeySlot(MASTER, secret, {
    id: 0,
    scrypt: { ...FAST, n: 2048 },
  });
  assert.equal(openKeySlot({ ...slot, scrypt: FAST }, secret), null);
});

Deno.test("makeKeySlot() refuses secrets that are too short", () => {
  const make = (secret: Secret) => (): unknown =>
    makeKeySlot(MASTER, secret, { id: 0, scrypt: FAST });
  assert.throws(make(passphrase("")), /The passphrase is empty/);
  assert.throws(make(keyFile(1, 31)), /of 31 bytes is too short/);
});

Deno.test("keySlot() refuses every field that is not as it should be", () => {
  const slot = makeKeySlot(MASTER, passphrase("x"), { id: 0, scrypt: FAST });
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ id: 16 }, /^s\.id: not a whole number from 0 to 15$/],
    [{ id: "0" }, /^s\.id: /],
    [{ kind: "rsa" }, /^s\.kind: not one of passphrase, keyfile$/],
    [{ kind: "keyfile" }, /^s: has scrypt parameters for a key file/],
    [{ scrypt: undefined }, /^s: .*none for a passphrase$/],
    [{ scrypt: { n: 1024, r: 8 } }, /^s\.scrypt\.p: /],
    [{ scrypt: { ...FAST, q: 1 } }, /^s\.scrypt\.q: unknown field$/],
    [{ scrypt: { ...FAST, n: 2 ** 40 } }, /^s\.scrypt: .*more than 1 GiB$/],
    [{ label: "x".repeat(65) }, /^s\.label: longer than 64/],
    [{ label: "\ud800" }, /^s\.label: not Unicode$/],
    [{ created: "yesterday" }, /^s\.created: not of the right form$/],
    [{ salt: "00" }, /^s\.salt: not 32 bytes/],
    [{ wrapped: slot.wrapped.toUpperCase() }, /^s\.wrapped: not 40 bytes/],
    [{ more: 1 }, /^s\.more: unknown field$/],
    [{ "__proto__x": 1 }, /unknown field/],
  ];
  for (const [change, message] of cases) {
    const value = JSON.parse(JSON.stringify({ ...slot, ...change }));
    assert.throws(
      () => keySlot(value, "s"),
      (error) => error instanceof FieldError && message.test(error.message),
      `${message}`,
    );
  }
});
