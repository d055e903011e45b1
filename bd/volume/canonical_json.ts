/**
 * JSON in one form only: the JSON Canonicalization Scheme (RFC 8785), so that
 * a digest of a value does not depend on spaces or on the order of fields.
 *
 * The scheme takes numbers and texts as ECMAScript writes them, which is what
 * this language does anyway, and sorts the fields of an object by the UTF-16
 * code units of their names, as `sort()` does.
 *
 * @module
 */

/** A value of JSON. An absent field may be `undefined`. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [name: string]: Json | undefined };

/**
 * The canonical form of `value`, in UTF-8. Throws `RangeError` for what has
 * none: a number that is not finite, and a text that is not Unicode.
 */
export function canonicalJson(value: Json): Uint8Array {
  return new TextEncoder().encode(canonical(value));
}

function canonical(value: Json): string {
  if (typeof value === "number" && !Number.isFinite(value)) {
    throw new RangeError(`${value} is no number of JSON`);
  }
  if (typeof value === "string" && !value.isWellFormed()) {
    throw new RangeError("a text with half a surrogate pair is not Unicode");
  }
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  const object = value as { readonly [name: string]: Json | undefined };
  const fields = Object.keys(object).sort().flatMap((name) => {
    const field = object[name];
    return field === undefined
      ? []
      : [`${canonical(name)}:${canonical(field)}`];
  });
  return `{${fields.join(",")}}`;
}
