import assert from "node:assert/strict";
import { diagnose } from "cbor2";
import { parse } from "cddl";
import { fileURLToPath } from "node:url";
import { HELLO_FRAME_MAX, VERSION } from "../limits.ts";
import { OPERATION_LIST } from "../operations/mod.ts";
import { DEPTH_MAX, TEXT_MAX } from "../well_formed.ts";
import { cddlDocument } from "./cddl.ts";
import { hold } from "./conversation.ts";
import { unheard } from "./recorder.ts";
import { documentParts } from "./tables.ts";
import { CDDL, DOCUMENT } from "./update.ts";

const REMEDY = "run rpc/document/update.ts and format the document";

/** Words and signs of a text, however a formatter has laid it out. */
function words(text: string): string {
  return text.replace(/-+/g, "-").replace(/\s+/g, " ").trim();
}

/** The text without its blanks. */
function dense(text: string): string {
  return text.replace(/\s+/g, "");
}

Deno.test("docs/rpc.md says what the program says, and examples are true", async () => {
  // The conversation is held again, with a server of its own.
  const heard = await hold();
  assert.deepEqual(unheard(heard), []);
  const document = words(await Deno.readTextFile(DOCUMENT));
  for (const [name, part] of Object.entries(documentParts(heard))) {
    const expected = words(
      `<!-- begin ${name} --> ${part} <!-- end ${name} -->`,
    );
    assert.ok(document.includes(expected), `${name} differs: ${REMEDY}`);
  }
});

Deno.test("docs/rpc.md states the limits that the program has", async () => {
  const document = words(await Deno.readTextFile(DOCUMENT));
  for (
    const statement of [
      `version ${VERSION}`,
      `${HELLO_FRAME_MAX} bytes`,
      `${DEPTH_MAX} arrays`,
      `${TEXT_MAX} bytes`,
    ]
  ) {
    assert.ok(document.includes(statement), statement);
  }
});

Deno.test("the bytes of each example are what stands above them, as another decoder has it", async () => {
  const document = await Deno.readTextFile(DOCUMENT);
  const said = [...document.matchAll(/^[→←] ([^=]*?)\n= ([0-9a-f\s]+)$/gm)];
  // One that explains the notation, and two for each operation.
  assert.equal(said.length, 1 + 2 * OPERATION_LIST.length);
  for (const [, notation, hex] of said) {
    const frame = Uint8Array.fromHex(dense(hex));
    const length = new DataView(frame.buffer).getUint32(0);
    assert.equal(length, frame.length - 4, notation);
    assert.equal(dense(diagnose(frame.subarray(4))), dense(notation));
  }
});

Deno.test("nextfs.cddl is what the table of operations makes it, and a parser of the language takes it", async () => {
  const text = await Deno.readTextFile(CDDL);
  assert.equal(text, cddlDocument(), REMEDY);
  const rules = parse(fileURLToPath(CDDL));
  const names = new Set(rules.map((rule) => rule.Name));
  assert.equal(names.size, rules.length);
  for (const { name } of OPERATION_LIST) {
    for (const part of ["request", "reply"]) {
      assert.ok(names.has(`${name.replaceAll("_", "-")}-${part}`), name);
    }
  }
});
