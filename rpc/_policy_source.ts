/**
 * A policy as a tree of JSON values that know where they stand, so that
 * whatever is wrong with one can be found.
 *
 * Texts are read by `jsonc-parser`, which keeps the places that `JSON.parse`
 * throws away. It descends by recursion and takes keys that are there twice:
 * both are looked for here, before and after.
 *
 * @module
 */

import {
  createScanner,
  getNodePath,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { POLICY_MAX, PolicyError } from "./policy_error.ts";

/** Arrays and objects in one another: as deep as a policy goes, and more. */
const DEPTH_MAX = 16;

/** A value and its place. */
export type Item = Node;

/** A policy before its checks. */
export interface PolicySource {
  /** The whole of it. */
  readonly root: Item;
  /** Throws {@link PolicyError} about `item`. */
  readonly fail: (item: Item, reason: string) => never;
}

/** Reads a text, `file`'s name being for errors. Throws {@link PolicyError}. */
export function readPolicyText(
  content: string | Uint8Array,
  file: string,
): PolicySource {
  const failAt = (text: string, offset: number, reason: string): never => {
    throw new PolicyError(`${file}:${lineAndColumn(text, offset)}`, reason);
  };
  if (content.length > POLICY_MAX) {
    const text = typeof content === "string" ? content : "";
    failAt(text, 0, `it is longer than ${POLICY_MAX} bytes`);
  }
  const text = typeof content === "string" ? content : decode(content, failAt);
  checkDepth(text, failAt);
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: false });
  if (errors.length > 0) {
    const { offset } = errors[0];
    failAt(text, offset, syntaxReason(text, errors[0]));
  }
  if (root === undefined) return failAt(text, 0, "there is no policy in it");
  return {
    root,
    fail: (item, reason) => failAt(text, item.offset, reason),
  };
}

/** Takes an object that a program has made. Throws {@link PolicyError}. */
export function readPolicyObject(definition: unknown): PolicySource {
  let text: string | undefined;
  try {
    text = JSON.stringify(definition);
  } catch (error) {
    throw new PolicyError("policy", (error as Error).message.split("\n")[0]);
  }
  if (text === undefined) {
    throw new PolicyError("policy", "it is no object that JSON can hold");
  }
  const { root } = readPolicyText(text, "policy");
  return {
    root,
    fail: (item, reason) => {
      const path = getNodePath(item).map((key) =>
        typeof key === "number" ? `[${key}]` : `.${key}`
      );
      throw new PolicyError(`policy${path.join("")}`, reason);
    },
  };
}

type FailAt = (text: string, offset: number, reason: string) => never;

function decode(bytes: Uint8Array, failAt: FailAt): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // The first character that stands for bytes which are none is the place.
    const text = new TextDecoder().decode(bytes);
    return failAt(text, text.indexOf("\ufffd"), "it is not UTF-8 there");
  }
}

function lineAndColumn(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  const line = before.split("\n").length;
  return `${line}:${[...before.slice(start)].length + 1}`;
}

function checkDepth(text: string, failAt: FailAt): void {
  let depth = 0;
  for (const offset of tokenOffsets(text)) {
    if (/[[{]/.test(text[offset])) depth++;
    if (/[\]}]/.test(text[offset])) depth--;
    if (depth > DEPTH_MAX) failAt(text, offset, "it is nested too deep");
  }
}

/** Where the tokens of a text begin, without comments. */
function* tokenOffsets(text: string): Generator<number> {
  const scanner = createScanner(text, true);
  scanner.scan();
  // Only the end has no length.
  for (; scanner.getTokenLength() > 0; scanner.scan()) {
    yield scanner.getTokenOffset();
  }
}

/** What the parser's codes mean. */
const SYNTAX: Readonly<Record<string, string>> = {
  InvalidSymbol: "this is no JSON; texts are in double quotes",
  InvalidNumberFormat: "this is no number",
  PropertyNameExpected: "a key in double quotes should be here",
  ValueExpected: "a value should be here",
  ColonExpected: "a colon should be here",
  CommaExpected: "a comma should be here",
  CloseBraceExpected: "a closing brace should be here",
  CloseBracketExpected: "a closing bracket should be here",
  EndOfFileExpected: "nothing more should be here",
  UnexpectedEndOfComment: "the comment that begins here does not end",
  UnexpectedEndOfString: "the text that begins here does not end in its line",
  UnexpectedEndOfNumber: "this is no number",
  InvalidUnicode: "the text that begins here has a wrong \\u in it",
  InvalidEscapeCharacter: "the text that begins here has a wrong \\ in it",
  InvalidCharacter: "the text that begins here has a control character in it",
};

function syntaxReason(text: string, { error, offset }: ParseError): string {
  const isClosed = /[\]}]/.test(text[offset] ?? "");
  const before = isClosed ? [...tokenOffsets(text.slice(0, offset))] : [];
  if (text[before.at(-1) ?? -1] === ",") {
    return `there must be no comma before this ${text[offset]}`;
  }
  const code = printParseErrorCode(error);
  return SYNTAX[code] ?? `this is no JSON (${code})`;
}
