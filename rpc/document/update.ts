/**
 * Brings `docs/rpc.md` and `rpc/nextfs.cddl` up to date: run this after the
 * table of operations has changed, and format the document. Tests check both.
 *
 * @module
 */

import { cddlDocument } from "./cddl.ts";
import { hold } from "./conversation.ts";
import { unheard } from "./recorder.ts";
import { documentParts, withParts } from "./tables.ts";

/** The specification. */
export const DOCUMENT: URL = new URL("../../docs/rpc.md", import.meta.url);
/** The messages for programs. */
export const CDDL: URL = new URL("../nextfs.cddl", import.meta.url);

if (import.meta.main) {
  await Deno.writeTextFile(CDDL, cddlDocument());
  const heard = await hold();
  const document = await Deno.readTextFile(DOCUMENT);
  await Deno.writeTextFile(
    DOCUMENT,
    withParts(document, documentParts(heard)),
  );
  for (const name of unheard(heard)) console.log(`No example of ${name}`);
}
