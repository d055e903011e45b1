/**
 * The names of directory entries.
 *
 * @module
 */

import { DIRECTORY_ENTRY, ENTRY_HEADER_SIZE } from "../directory_entry.ts";

const DOT = 0x2e;

/** View of the name of the entry at `at`. */
export function nameAt(bytes: Uint8Array, at: number): Uint8Array {
  const start = at + ENTRY_HEADER_SIZE;
  return bytes.subarray(start, start + DIRECTORY_ENTRY.name_len.get(bytes, at));
}

/** Whether a name is '.' or '..'. */
export function isDots(name: Uint8Array): boolean {
  return name.length <= 2 && name.every((byte) => byte === DOT);
}

/** A name as text of one line; what cannot be shown is escaped. */
export function showName(name: Uint8Array): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(name);
    return text.replace(
      /[\p{C}\p{Z}]/gu,
      (char) =>
        char === " " ? char : `\\u{${char.codePointAt(0)!.toString(16)}}`,
    );
  } catch {
    return [...name].map((byte) =>
      byte > 0x1f && byte < 0x7f
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).padStart(2, "0")}`
    ).join("");
  }
}
