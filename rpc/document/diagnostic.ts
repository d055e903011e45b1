/**
 * Messages as people read them: CBOR diagnostic notation and hex.
 *
 * @module
 */

/** Columns of a line. */
const WIDTH = 80;
/** A blank at which no line ends. */
const JOINT = "\u00a0";
/** Bytes of a byte string between two blanks. */
const BYTES_TOGETHER = 16;

/**
 * An item of the wire in the notation of RFC 8949, section 8. Long byte
 * strings have blanks in them (RFC 8610, appendix G.1).
 */
export function diagnostic(item: unknown): string {
  if (Array.isArray(item)) {
    const isPair = item.length <= 2 && item.every(Number.isInteger);
    return `[${item.map(diagnostic).join(isPair ? `,${JOINT}` : ", ")}]`;
  }
  if (item instanceof Uint8Array) {
    return `h'${grouped(item, BYTES_TOGETHER)}'`;
  }
  if (typeof item === "string") return JSON.stringify(item);
  return String(item);
}

/** Bytes in hex, with a blank after every `together`. */
function grouped(bytes: Uint8Array, together: number): string {
  const groups: string[] = [];
  for (let at = 0; at < bytes.length; at += together) {
    groups.push(bytes.subarray(at, at + together).toHex());
  }
  return groups.join(" ");
}

/** Words on as many lines as they need; all but the first are indented. */
function wrapped(mark: string, text: string): string {
  const lines: string[] = [];
  let line = mark;
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = " ";
    }
    line += ` ${word}`;
  }
  return [...lines, line].join("\n").replaceAll(JOINT, " ");
}

/** A frame as the documentation shows it: what it says, and its bytes. */
export function frameText(
  mark: string,
  item: unknown,
  frame: Uint8Array,
): string {
  return [
    wrapped(mark, diagnostic(item)),
    wrapped("=", grouped(frame, 4)),
  ].join("\n");
}
