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
  return uuidBytes(text);
}

/** The 16 bytes of a UUID in its usual form. */
export function uuidBytes(uuid: string): Uint8Array {
  return Uint8Array.fromHex(uuid.replaceAll("-", ""));
}

/** The usual form of a UUID of 16 bytes. */
export function formatUuid(uuid: Uint8Array): string {
  const hex = uuid.toHex();
  return [[0, 8], [8, 12], [12, 16], [16, 20], [20, 32]]
    .map(([start, end]) => hex.slice(start, end)).join("-");
}

/** A random UUID, of version 4 (RFC 9562, section 5.4). */
export function randomUuid(): string {
  return uuidOf(crypto.getRandomValues(new Uint8Array(16)), 4);
}

/**
 * A UUID of the first 16 of `bytes`, of which six bits give way to the
 * version: 4 for random ones, 8 for those that are computed in a way of one's
 * own (RFC 9562, section 5.8).
 */
export function uuidOf(bytes: Uint8Array, version: 4 | 8): string {
  const uuid = bytes.slice(0, 16);
  uuid[6] = uuid[6] & 0x0f | version << 4;
  uuid[8] = uuid[8] & 0x3f | 0x80;
  return formatUuid(uuid);
}
