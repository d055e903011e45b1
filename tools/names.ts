/**
 * File names on their way to the terminal and back.
 *
 * Names are bytes on a volume and on the wire. They are normally UTF-8, but
 * need not be, and may hold control characters that would drive a terminal.
 *
 * @module
 */

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The bytes of a name or path given as text. */
export function toBytes(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of a name, or null if its bytes are not UTF-8. */
export function toText(name: Uint8Array): string | null {
  try {
    return decoder.decode(name);
  } catch {
    return null;
  }
}

/**
 * Characters that must not reach a terminal: control characters (C0, DEL, C1),
 * invisible ones that change the direction of text, and line separators.
 */
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

const ESCAPES: Record<number, string> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
};

function escapeByte(byte: number): string {
  return ESCAPES[byte] ?? `\\${byte.toString(8).padStart(3, "0")}`;
}

/**
 * A name or path as a terminal may show it: what could drive the terminal,
 * and bytes that are not UTF-8, as C escapes (as `ls -b` writes them).
 */
export function printable(name: string | Uint8Array): string {
  const text = typeof name === "string" ? name : toText(name);
  if (text === null) return escapeBytes(name as Uint8Array);
  return text.replace(
    UNSAFE,
    (char) => [...encoder.encode(char)].map(escapeByte).join(""),
  );
}

/** Escapes every byte outside of printable ASCII. */
function escapeBytes(name: Uint8Array): string {
  let text = "";
  for (const byte of name) {
    text += byte >= 0x20 && byte < 0x7f
      ? String.fromCharCode(byte)
      : escapeByte(byte);
  }
  return text;
}

/** Compares two names byte by byte, for sorting. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return a[i] - b[i];
  }
  return a.length - b.length;
}

/** `directory` and `name` joined with one slash. */
export function joinPath(directory: Uint8Array, name: Uint8Array): Uint8Array {
  const slash = directory.length > 0 && directory.at(-1) !== 0x2f ? 1 : 0;
  const path = new Uint8Array(directory.length + slash + name.length);
  path.set(directory);
  if (slash) path[directory.length] = 0x2f;
  path.set(name, directory.length + slash);
  return path;
}

/** The last component of a path; empty for `/` and the empty path. */
export function baseName(path: Uint8Array): Uint8Array {
  let end = path.length;
  while (end > 0 && path[end - 1] === 0x2f) end--;
  return path.subarray(path.lastIndexOf(0x2f, end - 1) + 1, end);
}

/**
 * The name an operand gives its copy; null for one that ends in `.` or `..`,
 * and for `/`: what such a directory holds goes into the target itself.
 */
export function operandName(path: Uint8Array): Uint8Array | null {
  const name = baseName(path);
  const text = String.fromCharCode(...name);
  return text === "" || text === "." || text === ".." ? null : name;
}
