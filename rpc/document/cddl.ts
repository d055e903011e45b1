/**
 * `nextfs.cddl`: the messages of the protocol in the language of RFC 8610.
 *
 * It is made from the table of operations. Every element of an array has a
 * name and every alternative of a message a rule of its own, so that a person
 * can read it, and so can parsers that know less than all of the language.
 *
 * @module
 */

import { ERRNO_NUMBER } from "../errno.ts";
import { HELLO_FRAME_MAX, VERSION } from "../limits.ts";
import { OPERATION_LIST } from "../operations/mod.ts";
import type { NumberedOperation } from "../operations/mod.ts";
import type { Fields } from "../wire_types.ts";
import { DEPTH_MAX, TEXT_MAX } from "../well_formed.ts";

/** Columns of a line. */
const WIDTH = 80;

const HEAD = `\
; The messages of nextfs, version ${VERSION}, in CDDL (RFC 8610).
;
; Made from the table of operations; docs/rpc.md says what they mean. What no
; rule here can say holds besides: integers and lengths have their shortest
; form, lengths are definite, at most ${DEPTH_MAX} arrays lie within one another, a text
; string has at most ${TEXT_MAX} bytes, the frame of a hello at most ${HELLO_FRAME_MAX}, and a
; name has no "/" and no NUL.
;
; A client sends what is a request. What comes back is the reply of the request
; with its id, or a notice. A request for an operation that is not known is
; answered by a failure like any other.
`;

const MESSAGES = `\
id = 1..9007199254740991

; The text is for people.
failure = [id: id, status: error-status, text: error-text]
error-text = tstr .size (0..${TEXT_MAX})

; What a server says without having been asked, or to what has no id.
notice = [id: 0, status: error-status, text: error-text]
`;

const STEPS = `\
; The replies of a compound are those of its steps, in their order.
step-failure = [status: error-status, text: error-text]
`;

/** One rule, over as many lines as it needs. */
function rule(name: string, definition: string): string {
  const line = `${name} = ${definition}`;
  if (line.length <= WIDTH) return line;
  if (definition.startsWith("[") || definition.startsWith("(")) {
    const values = definition.slice(1, -1).replace(/,$/, "").split(
      /, (?![^[]*\])/,
    );
    const lines = values.map((value) => `  ${value},\n`).join("");
    return `${name} = ${definition[0]}\n${lines}${definition.at(-1)}`;
  }
  return `${name} =${filled(definition.split(" / "))}`;
}

/** Alternatives on as few lines as they need. */
function filled(alternatives: readonly string[]): string {
  let text = "";
  let column = WIDTH;
  alternatives.forEach((one, i) => {
    const word = i < alternatives.length - 1 ? `${one} /` : one;
    const fits = column + 1 + word.length <= WIDTH;
    text += fits ? ` ${word}` : `\n  ${word}`;
    column = (fits ? column + 1 : 2) + word.length;
  });
  return text;
}

/** The members of an array for `fields`, as a group. */
function group(fields: Fields): string {
  const values = Object.entries(fields)
    .map(([name, { cddl }]) => `${name}: ${cddl.use}`);
  // The comma tells parsers that look ahead little: this is a group, no type.
  return `(${values.join(", ")},)`;
}

/** An array that begins with `first` and goes on with a group, if not empty. */
function array(first: string, name: string, fields: Fields): string {
  return Object.keys(fields).length > 0 ? `[${first}, ${name}]` : `[${first}]`;
}

/** The rules that the arguments and results of all operations need. */
function sharedRules(): string[] {
  const rules = new Map<string, string>();
  for (const one of OPERATION_LIST) {
    for (const fields of [one.arguments, one.results]) {
      for (const { cddl } of Object.values(fields)) {
        for (const [name, definition] of Object.entries(cddl.rules ?? {})) {
          const other = rules.get(name);
          if (other !== undefined && other !== definition) {
            throw new Error(`Cannot write CDDL: two rules are called ${name}`);
          }
          rules.set(name, definition);
        }
      }
    }
  }
  rules.delete("id");
  return [...rules].map(([name, definition]) => rule(name, definition));
}

/** An operation as a rule is named after it. */
function ruleName({ name }: NumberedOperation): string {
  return name.replaceAll("_", "-");
}

function operationRules(one: NumberedOperation): string {
  const name = ruleName(one);
  const asked = `operation: op-${name}`;
  const rules: string[] = [];
  const define = (part: string, fields: Fields): string => {
    if (Object.keys(fields).length > 0) rules.push(rule(part, group(fields)));
    return part;
  };
  const args = define(`${name}-arguments`, one.arguments);
  const results = define(`${name}-results`, one.results);
  const request = array(`id: id, ${asked}`, args, one.arguments);
  const success = array("id: id, status: 0", results, one.results);
  rules.push(
    rule(`${name}-request`, request),
    rule(`${name}-success`, success),
    `${name}-reply = ${name}-success / failure`,
  );
  if (!one.alone) {
    const step = array(asked, args, one.arguments);
    const reply = array("status: 0", results, one.results);
    rules.push(
      rule(`${name}-step`, step),
      rule(`${name}-step-reply`, reply),
    );
  }
  return `; ${one.number} ${one.name}\n${rules.join("\n")}\n`;
}

function choice(name: string, alternatives: readonly string[]): string {
  return rule(name, alternatives.join(" / ")) + "\n";
}

/** The whole file. */
export function cddlDocument(): string {
  const names = OPERATION_LIST.map(ruleName);
  const steps = OPERATION_LIST.filter(({ alone }) => !alone).map(ruleName);
  const errors = Object.entries(ERRNO_NUMBER).sort(([, a], [, b]) => a - b);
  return [
    HEAD,
    choice("request", names.map((name) => `${name}-request`)),
    choice("reply", [...names.map((name) => `${name}-success`), "failure"]),
    MESSAGES,
    errors.map(([name, number]) => `${name} = ${number}`).join("\n") + "\n",
    choice("error-status", errors.map(([name]) => name)),
    OPERATION_LIST.map((one) => `op-${ruleName(one)} = ${one.number}`)
      .join("\n") + "\n",
    choice("operation", names.map((name) => `op-${name}`)),
    sharedRules().join("\n") + "\n",
    STEPS + choice("step", steps.map((name) => `${name}-step`)) + "\n" +
    choice("step-reply", [
      ...steps.map((name) => `${name}-step-reply`),
      "step-failure",
    ]),
    ...OPERATION_LIST.map(operationRules),
  ].join("\n");
}
