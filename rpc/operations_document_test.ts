import assert from "node:assert/strict";
import { DOCUMENT_PARTS } from "./operations_document.ts";
import { OPERATION_LIST } from "./operations.ts";
import { HELLO_FRAME_MAX, VERSION } from "./limits.ts";
import { DEPTH_MAX, TEXT_MAX } from "./well_formed.ts";

const place = new URL("../docs/rpc.md", import.meta.url);

/** Words and signs of a text, however a formatter has laid it out. */
function words(text: string): string {
  return text.replace(/-+/g, "-").replace(/\s+/g, " ").trim();
}

Deno.test("docs/rpc.md has every table as the program has it", async () => {
  const document = words(await Deno.readTextFile(place));
  for (const [name, make] of Object.entries(DOCUMENT_PARTS)) {
    assert.ok(
      document.includes(
        words(`<!-- begin ${name} --> ${make()} <!-- end ${name} -->`),
      ),
      `${name} differs: run rpc/operations_document.ts and format the document`,
    );
  }
  for (const one of OPERATION_LIST) {
    assert.ok(document.includes(`### ${one.number} ${one.name} `));
  }
});

Deno.test("docs/rpc.md states the limits that the program has", async () => {
  const document = words(await Deno.readTextFile(place));
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
