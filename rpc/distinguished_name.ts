/**
 * Distinguished names, such as a certificate's subject, as text: one text for
 * each name, so that names can be compared as texts.
 *
 * The text is that of RFC 4514, of the several which the RFC allows the one
 * that is described at {@link formatName}.
 *
 * @module
 */

import { childrenOf, type DerElement, readDer, TAG } from "./_der.ts";

/**
 * The types of attributes that have a name: those of RFC 4514, section 3, and
 * two that are common in certificates (RFC 5280, appendix A.1).
 */
const KEYWORDS: readonly (readonly [keyword: string, oid: string])[] = [
  ["CN", "2.5.4.3"],
  ["L", "2.5.4.7"],
  ["ST", "2.5.4.8"],
  ["O", "2.5.4.10"],
  ["OU", "2.5.4.11"],
  ["C", "2.5.4.6"],
  ["STREET", "2.5.4.9"],
  ["DC", "0.9.2342.19200300.100.1.25"],
  ["UID", "0.9.2342.19200300.100.1.1"],
  ["serialNumber", "2.5.4.5"],
  ["emailAddress", "1.2.840.113549.1.9.1"],
];
const KEYWORD_OF = new Map(KEYWORDS.map(([keyword, oid]) => [oid, keyword]));
const TYPES = new Map(
  KEYWORDS.flatMap(([keyword, oid]) => [
    [keyword.toLowerCase(), keyword],
    [oid, keyword],
  ]),
);

/** The string types whose characters are certain: X.680, section 41. */
const STRING_TAGS: readonly number[] = [
  TAG.utf8String,
  TAG.numericString,
  TAG.printableString,
  TAG.ia5String,
];

const OID = /^(?:[0-2])(?:\.(?:0|[1-9]\d*))+$/;

/** A text is no distinguished name, or not written as they are here. */
export class NameError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "NameError";
}

/**
 * The text of a `Name` (RFC 5280, section 4.1.2.4): its parts from the last to
 * the first, with commas between them and no spaces; the attributes of one
 * part in the order of their texts, with `+`. An attribute is its type's
 * keyword, `=` and the value, with `\` before `"+,;<>\`, before a space or `#`
 * at the beginning and a space at the end; control characters and those that
 * turn the direction of text are `\` and two lower-case digits for each byte
 * of their UTF-8. A type without a keyword is its number; its value, and every
 * other that is no UTF8String, PrintableString, NumericString or IA5String, is
 * `#` and its DER in lower-case hexadecimal digits. Throws {@link DerError}.
 */
export function formatName(name: DerElement): string {
  return childrenOf(name, TAG.sequence)
    .map((part) =>
      childrenOf(part, TAG.set).map(formatAttribute).sort().join("+")
    )
    .reverse().join(",");
}

/**
 * The text that {@link formatName} makes of the name that `text` means, which
 * may have spaces around its signs, other keywords' case and other escapes.
 * Throws {@link NameError} for what is no name.
 */
export function canonicalName(text: string): string {
  if (text.trim() === "") throw new NameError("it is empty");
  if (text.startsWith("/")) {
    throw new NameError("it is written with slashes instead of commas");
  }
  return splitAt(text, ",")
    .map((part) => splitAt(part, "+").map(canonicalAttribute).sort().join("+"))
    .join(",");
}

function formatAttribute(attribute: DerElement): string {
  const [type, value] = childrenOf(attribute, TAG.sequence, 2);
  const oid = formatOid(type);
  return formatTyped(KEYWORD_OF.get(oid) ?? oid, value);
}

function formatTyped(type: string, value: DerElement): string {
  const text = OID.test(type) ? null : textOf(value);
  return `${type}=${text === null ? `#${hex(value.whole)}` : escaped(text)}`;
}

/** The characters of a string; null where they are not certain. */
function textOf({ tag, content }: DerElement): string | null {
  if (!STRING_TAGS.includes(tag)) return null;
  const isAscii = content.every((byte) => byte < 0x80);
  if (tag !== TAG.utf8String && !isAscii) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(content);
  } catch {
    return null;
  }
}

/** The number of a type, such as 2.5.4.3: X.690, section 8.19. */
function formatOid({ content }: DerElement): string {
  const numbers: bigint[] = [];
  let number = 0n;
  for (const byte of content) {
    number = number << 7n | BigInt(byte & 0x7f);
    if (byte & 0x80) continue;
    numbers.push(number);
    number = 0n;
  }
  const [first = 0n, ...rest] = numbers;
  const top = first < 80n ? first / 40n : 2n;
  return [top, first - top * 40n, ...rest].join(".");
}

/** Characters that would make a text of more than one line, or hide some. */
const UNSEEN = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

function escaped(text: string): string {
  return text
    .replace(/["+,;<>\\]|^[ #]|(?<!^) $/g, "\\$&")
    .replace(
      UNSEEN,
      (char) => [...new TextEncoder().encode(char)].map(escapedByte).join(""),
    );
}

function escapedByte(byte: number): string {
  return `\\${hex(Uint8Array.of(byte))}`;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Pieces of `text` between unescaped signs. */
function splitAt(text: string, sign: string): string[] {
  const pieces = [""];
  for (const [piece] of text.matchAll(/\\[^]|[^]/gu)) {
    if (piece === sign) pieces.push("");
    else pieces[pieces.length - 1] += piece;
  }
  return pieces;
}

function canonicalAttribute(text: string): string {
  const at = text.indexOf("=");
  const written = text.slice(0, at).trim();
  const type = TYPES.get(written.toLowerCase()) ??
    (OID.test(written) ? written : null);
  if (at < 0 || type === null) {
    const shown = JSON.stringify(text.slice(0, 40));
    throw new NameError(`${shown} does not begin with a known type, as in CN=`);
  }
  const value = text.slice(at + 1).trimStart();
  if (value.startsWith("#")) return formatTyped(type, hexValue(type, value));
  if (OID.test(type)) {
    throw new NameError(`the value of ${type} must be # and its DER`);
  }
  return `${type}=${escaped(unescaped(value))}`;
}

function hexValue(type: string, value: string): DerElement {
  const digits = value.slice(1).trimEnd();
  if (!/^(?:[0-9A-Fa-f]{2})+$/.test(digits)) {
    throw new NameError(`the value of ${type} is no hexadecimal number`);
  }
  const bytes = Uint8Array.from(
    digits.match(/../g)!,
    (pair) => Number.parseInt(pair, 16),
  );
  try {
    const element = readDer(bytes);
    if (element.whole.length === bytes.length) return element;
  } catch {
    // Said below.
  }
  throw new NameError(`the value of ${type} is not the DER of anything`);
}

/** The characters of a value, of which spaces at the end count if escaped. */
function unescaped(value: string): string {
  const bytes: number[] = [];
  let end = 0;
  for (const [piece] of value.matchAll(/\\[0-9A-Fa-f]{2}|\\[^]|[^]/gu)) {
    if (piece === "\\") throw new NameError("it ends with a lone \\");
    if (/^\\../u.test(piece)) bytes.push(Number.parseInt(piece.slice(1), 16));
    else bytes.push(...new TextEncoder().encode(piece.replace(/^\\/, "")));
    if (piece !== " ") end = bytes.length;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(Uint8Array.from(bytes.slice(0, end)));
  } catch {
    throw new NameError("its escapes are not UTF-8");
  }
}
