/**
 * UUIDs in their usual form (RFC 9562, section 4).
 *
 * @module
 */

const PATTERN = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Parses a UUID into its 16 bytes. Throws `RangeError` if it is not one. */
export function parseUuid(text: string): Uint8Array {
  if (!PATTERN.test(text)) {
    throw new RangeError(
      `'${text}' is not a UUID such as 7a0e6b52-93c4-4d1f-8b67-5e2c1f40d9a3`,
    );
  }
  return Uint8Array.fromHex(text.replaceAll("-", ""));
}

/** The usual form of a UUID of 16 bytes. */
export function formatUuid(uuid: Uint8Array): string {
  const hex = uuid.toHex();
  return [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]]
    .map(([start, end]) => hex.slice(start, end)).join("-");
}
