/**
 * As much of DER (X.690) as it takes to find something in a certificate.
 *
 * @module
 */

/** The tags of what certificates and names are made of: X.680, section 8. */
export const TAG = {
  integer: 0x02,
  oid: 0x06,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  ia5String: 0x16,
  sequence: 0x30,
  set: 0x31,
  /** A field of its own kind: number 0. */
  field0: 0xa0,
} as const;

/** Bytes are not the DER of what was looked for. */
export class DerError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "DerError";
}

/** One element. */
export interface DerElement {
  /** Its tag, one byte. */
  readonly tag: number;
  /** What is in it. */
  readonly content: Uint8Array;
  /** All of it: tag, length and content. */
  readonly whole: Uint8Array;
}

/** The element that `bytes` begin with. Throws {@link DerError}. */
export function readDer(bytes: Uint8Array): DerElement {
  const form = bytes[1];
  let length = form;
  let start = 2;
  // More than four bytes of length would be longer than any certificate.
  const isKnown = (bytes[0] & 0x1f) !== 0x1f && form !== 0x80 && form <= 0x84;
  if (isKnown && form > 0x80) {
    length = 0;
    for (; start < 2 + (form & 0x7f); start++) {
      length = length * 256 + bytes[start];
    }
  }
  // Not a number if the bytes end before.
  if (!isKnown || !(length <= bytes.length - start)) {
    throw new DerError("an element is cut short, or of an unknown form");
  }
  const end = start + length;
  return {
    tag: bytes[0],
    content: bytes.subarray(start, end),
    whole: bytes.subarray(0, end),
  };
}

/**
 * The elements in `parent`, whose tag must be `tag`, and of which there must
 * be `count` if that is given. Throws {@link DerError}.
 */
export function childrenOf(
  parent: DerElement,
  tag: number,
  count?: number,
): DerElement[] {
  const children: DerElement[] = [];
  for (let rest = parent.content; rest.length > 0;) {
    const child = readDer(rest);
    children.push(child);
    rest = rest.subarray(child.whole.length);
  }
  if (parent.tag !== tag || children.length !== (count ?? children.length)) {
    throw new DerError("an element is not what stands in its place");
  }
  return children;
}
