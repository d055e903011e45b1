/**
 * Strict reading of JSON objects, by tables: a table names every field and how
 * its value is read. What is missing, unknown or of another kind is refused,
 * and the message says where.
 *
 * @module
 */

/** A value is not what the table says. */
export class FieldError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "FieldError";
}

/**
 * Reads one value, which is at `where`, as in `keys[1].scrypt.n`. Throws
 * {@link FieldError} if it is not of its kind.
 */
export type FieldReader<T> = (value: unknown, where: string) => T;

/** The object that a table of readers reads. */
export type Fields<T extends Record<string, FieldReader<unknown>>> =
  & {
    [K in keyof T as undefined extends ReturnType<T[K]> ? never : K]:
      ReturnType<T[K]>;
  }
  & {
    [K in keyof T as undefined extends ReturnType<T[K]> ? K : never]?:
      ReturnType<T[K]>;
  };

/** Throws {@link FieldError} about the value at `where`. */
export function refuse(where: string, reason: string): never {
  throw new FieldError(where === "" ? reason : `${where}: ${reason}`);
}

/** A whole number from `least` to `most`. */
export function integer(least: number, most: number): FieldReader<number> {
  return (value, where) => {
    if (Number.isSafeInteger(value)) {
      const number = value as number;
      if (number >= least && number <= most) return number;
    }
    refuse(where, `not a whole number from ${least} to ${most}`);
  };
}

/** One of `values`, which are texts or numbers. */
export function oneOf<T extends string | number>(
  values: readonly T[],
): FieldReader<T> {
  return (value, where) => {
    if (values.includes(value as T)) return value as T;
    refuse(where, `not one of ${values.join(", ")}`);
  };
}

/** A text of at most `most` UTF-16 code units, of the form of `pattern`. */
export function text(most: number, pattern: RegExp = /^/): FieldReader<string> {
  return (value, where) => {
    if (typeof value !== "string") refuse(where, "not a text");
    if (value.length > most) refuse(where, `longer than ${most} characters`);
    if (!value.isWellFormed()) refuse(where, "not Unicode");
    if (!pattern.test(value)) refuse(where, "not of the right form");
    return value;
  };
}

/** `byteLength` bytes in hexadecimal, in small letters; they stay a text. */
export function hex(byteLength: number): FieldReader<string> {
  return (value, where) => {
    const length = 2 * byteLength;
    const fits = typeof value === "string" && value.length === length;
    if (fits && /^[0-9a-f]*$/.test(value)) return value;
    refuse(where, `not ${byteLength} bytes in hexadecimal`);
  };
}

/** What `reader` reads, or nothing. */
export function optional<T>(
  reader: FieldReader<T>,
): FieldReader<T | undefined> {
  return (value, where) =>
    value === undefined ? undefined : reader(value, where);
}

/** An array of `least` to `most` values. */
export function list<T>(
  reader: FieldReader<T>,
  { least, most }: { least: number; most: number },
): FieldReader<T[]> {
  return (value, where) => {
    if (!Array.isArray(value)) refuse(where, "not an array");
    if (value.length < least || value.length > most) {
      refuse(where, `${value.length} of them; ${least} to ${most} may be`);
    }
    return value.map((one, i) => reader(one, `${where}[${i}]`));
  };
}

/** An object of exactly the fields in `table`. */
export function object<T extends Record<string, FieldReader<unknown>>>(
  table: T,
): FieldReader<Fields<T>> {
  return (value, where) => {
    if (value === null || typeof value !== "object" || Array.isArray(value)) {
      refuse(where, "not an object");
    }
    const place = (name: string): string => where ? `${where}.${name}` : name;
    for (const name of Object.keys(value)) {
      if (Object.hasOwn(table, name)) continue;
      // A name may be long, or made for a terminal to act upon.
      const shown = /^\w{1,40}$/.test(name) ? name : "(a strange name)";
      refuse(place(shown), "unknown field");
    }
    const result: Record<string, unknown> = {};
    for (const [name, reader] of Object.entries(table)) {
      const field = Object.hasOwn(value, name)
        ? (value as Record<string, unknown>)[name]
        : undefined;
      const read = reader(field, place(name));
      if (read !== undefined) result[name] = read;
    }
    return result as Fields<T>;
  };
}
