/**
 * A host that changes the descriptor: every bit of it, every field, and the
 * ways to say the same in JSON. What is not what was signed does not open, in
 * one line that says so; what is the same, however it is written, does.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Refusals } from "../support/refusals.ts";
import { makeScene, plaintext, present, type Scene } from "../support/scene.ts";
import { withTempDir } from "../support/tools.ts";
import { KEYED_DEVICES } from "../support/volumes.ts";

const encoder = new TextEncoder();

/** The descriptor of a scene, in the host's hands. */
class Descriptor {
  readonly refusals: Refusals = new Refusals();
  readonly scene: Scene;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly #path: string;

  constructor(scene: Scene) {
    this.scene = scene;
    this.bytes = present(scene).files.get("descriptor")!;
    this.text = new TextDecoder().decode(this.bytes);
    this.#path = scene.paths.get("descriptor")!;
  }

  /** Its value, to be changed. */
  // deno-lint-ignore no-explicit-any
  value(): any {
    return JSON.parse(this.text);
  }

  #write(what: string | Uint8Array): void {
    const bytes = typeof what === "string" ? encoder.encode(what) : what;
    Deno.writeFileSync(this.#path, bytes);
  }

  async refused(what: string | Uint8Array, label: string): Promise<void> {
    this.#write(what);
    await assert.rejects(
      this.scene.open(),
      (error) => this.refusals.note(error, label),
      label,
    );
  }

  async opens(what: string | Uint8Array, label: string): Promise<void> {
    this.#write(what);
    const bytes = plaintext(await this.scene.open());
    assert.deepEqual(bytes, present(this.scene).plain, label);
  }
}

function withDescriptor(
  device: (typeof KEYED_DEVICES)[number],
  visit: (descriptor: Descriptor) => Promise<void>,
): Promise<void> {
  return withTempDir(async (dir) => {
    const descriptor = new Descriptor(await makeScene(dir, device, 4096));
    await visit(descriptor);
    await descriptor.opens(descriptor.bytes, "as it was");
  });
}

for (const device of KEYED_DEVICES) {
  Deno.test(`${device}: every flipped bit of the descriptor is refused`, () =>
    withDescriptor(device, async (descriptor) => {
      const { bytes } = descriptor;
      for (let at = 0; at < bytes.length; at++) {
        for (let bit = 0; bit < 8; bit++) {
          if (device !== "vericrypt" && bit !== at % 8) continue;
          const changed = bytes.slice();
          changed[at] ^= 1 << bit;
          await descriptor.refused(changed, `byte ${at}, bit ${bit}`);
        }
      }
      descriptor.refusals.print(`${device}, ${bytes.length} bytes`);
    }));
}

/** Values that a field may be given, as they are written. */
const LITERALS = [
  ...["null", "true", "0", "-1", "-0", "1", "1.5", "1024", "2048", "4096"],
  ...["1e400", "-1e400", "4294967295", "4294967296", "9007199254740992"],
  ...["1e-400", "[]", "{}", '""', '"x"', '"1"', '"std"', '"crypt"'],
  ...['"verity"', '"vericrypt"', '"keyfile"', '"passphrase"', '"\\ud800"'],
  ...['"00"', `"${"0".repeat(64)}"`, `"${"f".repeat(80)}"`],
  ...['"00000000-0000-0000-0000-000000000000"', '"2020-01-01T00:00:00Z"'],
  ...['{"n":1024,"r":8,"p":1}', '{"__proto__":{"n":1024,"r":8,"p":1}}'],
];
/** What is no JSON at all. */
const NO_LITERALS = ["NaN", "Infinity", "undefined", "0x10", "'x'", "01", ""];
/** Names of fields that mean something to the language. */
const NAMES = ["__proto__", "constructor", "toString", "", "x".repeat(5000)];
const ODD_NAMES = [...NAMES, "\n\u001b[31m", "nextfs ", "Nextfs"];

/** A field of the descriptor. */
interface Field {
  /** Its place, as in `keys.0.id`. */
  readonly place: string;
  readonly value: unknown;
  /** The descriptor, with this text in the place of the value. */
  with(literal: string): string;
  /** The descriptor without the field, and with others. */
  without(): string;
  /** The descriptor with the field twice: this value, and then its own. */
  after(literal: string): string;
  /** The same, its own value first. */
  before(literal: string): string;
}

const MARK = "@@@";

/** All fields, those of slots and of their parameters too. */
function* fields(root: Descriptor): Generator<Field> {
  function* visit(
    select: (value: never) => Record<string, unknown>,
    place: string,
  ): Generator<Field> {
    for (const [name, value] of Object.entries(select(root.value() as never))) {
      const marked = (names: string[]): string => {
        const copy = root.value();
        const object = select(copy as never);
        const entries = Object.entries(object).flatMap(([key, value]) => {
          return key === name
            ? names.map((name) => [name, MARK])
            : [[key, value]];
        });
        for (const key of Object.keys(object)) delete object[key];
        Object.assign(object, Object.fromEntries(entries));
        return JSON.stringify(copy);
      };
      const quoted = `"${MARK}"`;
      const own = JSON.stringify(value);
      const twice = (a: string, b: string): string =>
        marked([name]).replace(quoted, () => `${a},"${name}":${b}`);
      yield {
        place: `${place}${name}`,
        value,
        with: (literal) => marked([name]).replace(quoted, () => literal),
        without: () => marked([]),
        after: (literal) => twice(literal, own),
        before: (literal) => twice(own, literal),
      };
      if (typeof value !== "object") continue;
      const below = (whole: never): never => select(whole)[name] as never;
      yield* visit(below, `${place}${name}.`);
    }
  }
  yield* visit((value) => value, "");
}

for (const device of KEYED_DEVICES) {
  Deno.test(`${device}: every changed field of the descriptor is refused`, () =>
    withDescriptor(device, async (descriptor) => {
      let count = 0;
      for (const field of fields(descriptor)) {
        const { place, value } = field;
        // An item of an array cannot be left out, nor be there twice.
        const isItem = /^keys\.\d+$/.test(place);
        count++;
        if (!isItem) await descriptor.refused(field.without(), `no ${place}`);
        for (const literal of LITERALS) {
          const label = `${place}: ${literal}`;
          const isSame = JSON.stringify(JSON.parse(literal)) ===
            JSON.stringify(value);
          if (isSame) await descriptor.opens(field.with(literal), label);
          else {
            await descriptor.refused(field.with(literal), label);
            if (isItem) continue;
            await descriptor.refused(field.before(literal), `${label}, twice`);
          }
          // Of two, the last counts: for the MAC as for everything else.
          if (!isItem) await descriptor.opens(field.after(literal), label);
        }
        for (const literal of NO_LITERALS) {
          await descriptor.refused(field.with(literal), `${place}: ${literal}`);
        }
      }
      descriptor.refusals.print(`${device}, ${count} fields`);
    }));
}

Deno.test("a field that nobody knows is refused, wherever it is", () =>
  withDescriptor("vericrypt", async (descriptor) => {
    const compact = JSON.stringify(descriptor.value());
    // After every brace that opens an object, that of the descriptor first.
    const places = [...compact.matchAll(/\{(?=")/g)].map(({ index }) => index);
    assert.ok(places.length >= 2);
    for (const at of places) {
      for (const name of ODD_NAMES) {
        for (const literal of ["1", '{"nextfs":1}', "null"]) {
          const field = `${JSON.stringify(name)}:${literal},`;
          const text = compact.slice(0, at + 1) + field + compact.slice(at + 1);
          await descriptor.refused(text, `${field} at ${at}`);
        }
      }
    }
    descriptor.refusals.print("unknown fields");
  }));

Deno.test("the same descriptor opens, in whichever way it is written", () =>
  withDescriptor("vericrypt", async (descriptor) => {
    const { text } = descriptor;
    const value = descriptor.value();
    const reversed = (object: Record<string, unknown>): unknown =>
      Object.fromEntries(Object.entries(object).toReversed());
    const same: Record<string, string> = {
      "compact": JSON.stringify(value),
      "in another order": JSON.stringify(reversed({
        ...value,
        keys: value.keys.map(reversed),
      })),
      "wide": JSON.stringify(value, null, 10).replaceAll("\n", "\r\n\t"),
      "escaped": text.replaceAll(/[a-z](?=[a-z]*")/g, (letter) => {
        return `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;
      }),
      "with a point": text.replaceAll(/\b(4096|512)\b(?!")/g, "$1.000"),
      "with an exponent": text.replace("4096", "0.4096e4"),
    };
    for (const [how, text] of Object.entries(same)) {
      await descriptor.opens(text, how);
    }
  }));

Deno.test("what is no descriptor at all is refused at once", () =>
  withDescriptor("vericrypt", async (descriptor) => {
    const { bytes, text } = descriptor;
    const began = performance.now();
    const joined = (...parts: (string | Uint8Array)[]): Uint8Array =>
      Uint8Array.from(parts.flatMap((part) => [
        ...typeof part === "string" ? encoder.encode(part) : part,
      ]));
    const deep = (open: string, close: string): string =>
      open.repeat(30_000) + close.repeat(30_000);
    const others: Record<string, string | Uint8Array> = {
      "empty": "",
      "zeros": new Uint8Array(1000),
      "deep arrays": deep("[", "]"),
      "deep objects": '{"a":'.repeat(13_000),
      "deep in a field": text.replace('"vericrypt"', deep("[", "]")),
      "deep in a slot": text.replace(/"keys": \[/, `$&${"[".repeat(20_000)}`),
      "invalid UTF-8": joined(bytes, Uint8Array.of(0xc3, 0x28)),
      "half a surrogate pair": joined(bytes, Uint8Array.of(0xed, 0xa0, 0x80)),
      "overlong UTF-8": joined(bytes, Uint8Array.of(0xc0, 0x80)),
      "UTF-16": Uint8Array.from([...text].flatMap((c) => [c.charCodeAt(0), 0])),
      "10 MB of spaces": joined(bytes, new Uint8Array(10 << 20).fill(0x20)),
      "a byte too long": joined(
        bytes,
        new Uint8Array(65_537 - bytes.length).fill(0x20),
      ),
      "two of them": text + text,
      "an array": `[${text}]`,
      "a comment": `// ${text}`,
    };
    for (const [what, contents] of Object.entries(others)) {
      await descriptor.refused(contents, what);
    }
    for (
      const version of ["1", "3", "1e300", "9007199254740993", "0", "1.5", "-1"]
    ) {
      const other = text.replace('"nextfs": 2', `"nextfs": ${version}`);
      await descriptor.refused(other, `version ${version}`);
    }
    const ms = Math.round(performance.now() - began);
    descriptor.refusals.print(`no descriptors, in ${ms} ms`);
    assert.ok(ms < 10_000);
  }));
