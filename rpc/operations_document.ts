/**
 * The tables of `docs/rpc.md` that come from the table of operations.
 *
 * Run this file to bring the document up to date; a test checks that it is.
 *
 * @module
 */

import { ERRNO_TEXT } from "../fs/errors.ts";
import { ERRNO_NUMBER } from "./errno.ts";
import { OPERATION_LIST, ORIGINAL_OPERATIONS } from "./operations.ts";
import type { Fields } from "./wire_types.ts";
import {
  ATTRIBUTE_FIELDS,
  CHANGE_FIELDS,
  ENTRY_FIELDS,
  STATISTICS_FIELDS,
} from "./wire_values.ts";

function table(head: readonly string[], rows: readonly string[][]): string {
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function fieldList(fields: Fields): string {
  const names = Object.entries(fields)
    .map(([name, { description }]) => `\`${name}\`: ${description}`);
  return names.length > 0 ? names.join(", ") : "none";
}

function fieldTable(fields: Fields): string {
  return table(
    ["#", "value", "type"],
    Object.entries(fields).map(([name, { description }], i) => [
      `${i}`,
      `\`${name}\``,
      description,
    ]),
  );
}

/** Every operation with its number, arguments, results and properties. */
export function operationTables(): string {
  return OPERATION_LIST.map((one) => {
    const repeat = (one.idempotent ? "may be repeated" : "not to be repeated") +
      (one.unless ? `, unless ${one.unless}` : "");
    const effect = one.mutates ? "may change the volume" : "changes no file";
    return [
      `### ${one.number} ${one.name}`,
      "",
      one.doc,
      "",
      `- Arguments: ${fieldList(one.arguments)}.`,
      `- Results: ${fieldList(one.results)}.`,
      `- It ${effect}, ${repeat}.`,
    ].join("\n");
  }).join("\n\n");
}

/** The arrays that operations share, value by value. */
export function valueTables(): string {
  return [
    ["attributes", ATTRIBUTE_FIELDS],
    ["changes", CHANGE_FIELDS],
    ["entry", ENTRY_FIELDS],
    ["statistics", STATISTICS_FIELDS],
  ].map(([name, fields]) =>
    `### ${name}\n\n${fieldTable(fields as unknown as Fields)}`
  ).join("\n\n");
}

/** The statuses with their names. */
export function statusTable(): string {
  const rows = Object.entries(ERRNO_NUMBER)
    .sort(([, one], [, other]) => one - other)
    .map(([name, number]) => [
      `${number}`,
      name,
      ERRNO_TEXT[name as keyof typeof ERRNO_TEXT],
    ]);
  return table(["status", "name", "text"], rows);
}

/** The numbers that are kept for the original's operations. */
export function reservedTable(): string {
  const rows = ORIGINAL_OPERATIONS.map((name, number) => [
    `${number}`,
    `\`${name}\``,
  ]);
  return table(["number", "operation"], rows);
}

/** The generated parts of the document, by the name in its markers. */
export const DOCUMENT_PARTS: Readonly<Record<string, () => string>> = {
  operations: operationTables,
  values: valueTables,
  statuses: statusTable,
  reserved: reservedTable,
};

/** Puts the generated parts between their markers in `document`. */
export function withGeneratedParts(document: string): string {
  let result = document;
  for (const [name, make] of Object.entries(DOCUMENT_PARTS)) {
    const begin = `<!-- begin ${name} -->`;
    const end = `<!-- end ${name} -->`;
    const from = result.indexOf(begin);
    const to = result.indexOf(end);
    if (from < 0 || to < from) {
      throw new Error(`Cannot update the document: no markers for ${name}`);
    }
    result = result.slice(0, from + begin.length) + `\n\n${make()}\n\n` +
      result.slice(to);
  }
  return result;
}

if (import.meta.main) {
  const place = new URL("../docs/rpc.md", import.meta.url);
  const document = await Deno.readTextFile(place);
  await Deno.writeTextFile(place, withGeneratedParts(document));
}
