/**
 * The parts of `docs/rpc.md` that come from the program.
 *
 * @module
 */

// The original's operations keep the names that they have there.
// deno-lint-ignore-file camelcase

import type { Errno } from "../../fs/errors.ts";
import { ERRNO_NUMBER } from "../errno.ts";
import { OPERATION_LIST, USUAL_ERRORS } from "../operations/mod.ts";
import type { NumberedOperation, OperationName } from "../operations/mod.ts";
import { LOCK_FIELDS } from "../operations/locks.ts";
import { ORIGINAL_ENTRY_FIELDS } from "../operations/original.ts";
import type { Fields } from "../wire_types.ts";
import {
  ATTRIBUTE_FIELDS,
  CHANGE_FIELDS,
  ENTRY_FIELDS,
  STATISTICS_FIELDS,
} from "../wire_values.ts";
import { frameText } from "./diagnostic.ts";
import { OWN_REASONS, REASONS } from "./reasons.ts";
import type { Exchange } from "./recorder.ts";

/** The first number that is not an operation of the original server. */
const FIRST_OF_OURS = 64;

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

/** The arrays that operations share, value by value. */
function valueTables(): string {
  const records: readonly (readonly [string, Fields])[] = [
    ["attributes", ATTRIBUTE_FIELDS as unknown as Fields],
    ["changes", CHANGE_FIELDS as unknown as Fields],
    ["entry", ENTRY_FIELDS as unknown as Fields],
    ["statistics", STATISTICS_FIELDS as unknown as Fields],
    ["lock", LOCK_FIELDS as unknown as Fields],
    ["listed", ORIGINAL_ENTRY_FIELDS as unknown as Fields],
  ];
  return records.map(([name, fields]) => `### ${name}\n\n${fieldTable(fields)}`)
    .join("\n\n");
}

/** The statuses with their names, and when they are given. */
function statusTable(): string {
  const rows = Object.entries(ERRNO_NUMBER)
    .sort(([, one], [, other]) => one - other)
    .map(([name, number]) => [`${number}`, name, REASONS[name as Errno]]);
  return table(["status", "name", "given when"], rows);
}

function errorList({ name, errors }: NumberedOperation): string {
  const own = OWN_REASONS[name] ?? {};
  const names = [...errors].sort().map((code) =>
    own[code] === undefined ? `\`${code}\`` : `\`${code}\` (${own[code]})`
  );
  return names.length > 0 ? names.join(", ") : "none but the usual";
}

function effect(one: NumberedOperation): string {
  if (one.name === "compound") {
    return "changes what its steps change, may be repeated if they may";
  }
  const repeat = (one.idempotent ? "may be repeated" : "not to be repeated") +
    (one.unless ? `, unless ${one.unless}` : "");
  return (one.mutates ? "may change the volume" : "changes no file") +
    `, ${repeat}`;
}

/** What those wait for that do not wait for stable storage. */
const OWN_WAITS: Readonly<Partial<Record<OperationName, string>>> = {
  setLock: "it waits for a lock",
  dir_rm: "there is much to remove, or it waits for stable storage",
};

function order({ name, late, alone }: NumberedOperation): string {
  const reason = OWN_WAITS[name] ?? "it waits for stable storage";
  const when = late === "always"
    ? "Its reply may come behind those of later requests"
    : late === "sometimes"
    ? `Its reply may come behind those of later requests when ${reason}`
    : "Its reply comes in order";
  return alone ? `${when}; it cannot be a step of a compound` : when;
}

function example(exchange: Exchange | undefined): string {
  if (exchange === undefined) return "";
  const { request, reply } = exchange;
  return [
    "\n\n```text",
    frameText("→", request.items, request.frame),
    frameText("←", reply.items, reply.frame),
    "```",
  ].join("\n");
}

function operationSections(
  heard: readonly Exchange[],
  wanted: (one: NumberedOperation) => boolean,
): string {
  return OPERATION_LIST.filter(wanted).map((one) =>
    [
      `### ${one.number} ${one.name}`,
      "",
      one.doc,
      "",
      `- Arguments: ${fieldList(one.arguments)}.`,
      `- Results: ${fieldList(one.results)}.`,
      `- Errors: ${errorList(one)}.`,
      `- It ${effect(one)}. ${order(one)}.`,
    ].join("\n") + example(heard.find(({ operation }) =>
      operation === one.name
    ))
  ).join("\n\n");
}

/** The generated parts of the document, by the name in their markers. */
export function documentParts(
  heard: readonly Exchange[],
): Readonly<Record<string, string>> {
  return {
    values: valueTables(),
    usual: USUAL_ERRORS.map((code) => `\`${code}\``).join(", "),
    operations: operationSections(
      heard,
      ({ number }) => number >= FIRST_OF_OURS,
    ),
    original: operationSections(heard, ({ number }) => number < FIRST_OF_OURS),
    statuses: statusTable(),
  };
}

/** Puts the generated parts between their markers in `document`. */
export function withParts(
  document: string,
  parts: Readonly<Record<string, string>>,
): string {
  let result = document;
  for (const [name, part] of Object.entries(parts)) {
    const begin = `<!-- begin ${name} -->`;
    const end = `<!-- end ${name} -->`;
    const from = result.indexOf(begin);
    const to = result.indexOf(end);
    if (from < 0 || to < from) {
      throw new Error(`Cannot update the document: no markers for ${name}`);
    }
    result = result.slice(0, from + begin.length) + `\n\n${part}\n\n` +
      result.slice(to);
  }
  return result;
}
