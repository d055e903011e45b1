/**
 * The types of the wire: what an argument or a result may be.
 *
 * Each type is declared once; its bounds are checked when a message is read
 * and when one is written, its description goes into the documentation, and
 * its CDDL into `nextfs.cddl`.
 *
 * @module
 */

import type { Errno } from "../fs/errors.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { InPlace } from "./frame_writer.ts";

/** A value is not of the type, or is out of bounds. */
export class WireTypeError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "WireTypeError";
  /** `EINVAL`, or `ENAMETOOLONG` for a name that is too long. */
  readonly code: Errno;

  /** Makes an error of `code`; `detail` says where, and what was expected. */
  constructor(code: Errno, detail: string) {
    super(detail);
    this.code = code;
  }
}

/** A type in the language of RFC 8610. */
export interface CddlType {
  /** The type, in terms of the rules: the name of one, or an expression. */
  readonly use: string;
  /** The rules that `use` needs, by name; none if absent. */
  readonly rules?: Readonly<Record<string, string>>;
}

/** A type of the wire whose values the program knows as `T`. */
export interface WireType<T> {
  /** For the documentation: the name or shape, with its bounds. */
  readonly description: string;
  /** The same for programs; see `nextfs.cddl`. */
  readonly cddl: CddlType;
  /** Checks a decoded item. Throws {@link WireTypeError}. */
  read(item: unknown): T;
  /** Checks and encodes a value. Throws {@link WireTypeError}. */
  write(to: FrameWriter, value: T): void;
}

/** Named fields, in the order in which they are on the wire. */
export type Fields = Readonly<Record<string, WireType<unknown>>>;

/** The program's view of a wire type. */
export type ValueOf<T> = T extends WireType<infer V> ? V : never;

/** The program's view of named fields. */
export type ValuesOf<F> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** The CDDL of a type that has a name in the documentation, or none. */
function namedCddl(name: string | undefined, definition: string): CddlType {
  if (name === undefined) return { use: definition };
  const rule = name.replaceAll(" ", "-");
  return { use: rule, rules: { [rule]: definition } };
}

/** Integers from `least` to `most`, which are within ±(2^53 − 1). */
export function integer(
  least: number,
  most: number,
  name?: string,
): WireType<number> {
  const description = name ?? `int ${least}…${most}`;
  const check = (value: unknown): number => {
    if (
      typeof value !== "number" || !Number.isSafeInteger(value) ||
      value < least || value > most
    ) {
      throw new WireTypeError("EINVAL", `expected ${description}`);
    }
    return value;
  };
  return {
    description,
    cddl: namedCddl(name, `${least}..${most}`),
    // The decoder makes BigInts of integers of 8 bytes.
    read: (item): number =>
      check(typeof item === "bigint" ? Number(item) : item),
    write: (to, value): void => to.int(check(value)),
  };
}

/** What a byte string is refused with beyond its type. */
interface BytesOptions {
  /** The errno name for a string that is too long; `EINVAL` if absent. */
  tooLong?: Errno;
  /** Name of the type in the documentation. */
  name?: string;
}

/** Byte strings of `least` to `most` bytes. What is read is a view. */
export function bytes(
  least: number,
  most: number,
  options: BytesOptions = {},
): WireType<Uint8Array> {
  const range = least === most ? `${least}` : `${least}…${most}`;
  const description = options.name ?? `bytes ${range}`;
  const bounds = least === most ? `${most}` : `${least} to ${most}`;
  const expected = `expected a byte string of ${bounds} bytes`;
  const check = (length: number): void => {
    if (length > most) {
      throw new WireTypeError(options.tooLong ?? "EINVAL", expected);
    }
    if (length < least) throw new WireTypeError("EINVAL", expected);
  };
  const size = least === most ? `${most}` : `(${least}..${most})`;
  return {
    description,
    cddl: namedCddl(options.name, `bstr .size ${size}`),
    read(item): Uint8Array {
      if (!(item instanceof Uint8Array)) {
        throw new WireTypeError("EINVAL", expected);
      }
      check(item.length);
      return item;
    },
    write(to, value: Uint8Array | InPlace): void {
      if (value instanceof InPlace) {
        check(value.maxLength);
        to.inPlace(value);
      } else {
        check(value.length);
        to.bytes(value);
      }
    },
  };
}

const utf8 = new TextEncoder();

/** Text strings of at most `most` bytes of UTF-8. */
export function text(most: number): WireType<string> {
  const description = `text ≤ ${most}`;
  const check = (value: unknown): string => {
    const fits = typeof value === "string" && value.length <= most &&
      (value.length * 3 <= most || utf8.encode(value).length <= most);
    if (!fits) throw new WireTypeError("EINVAL", `expected ${description}`);
    return value;
  };
  return {
    description,
    cddl: { use: `tstr .size (0..${most})` },
    read: check,
    write: (to, value): void => to.text(check(value)),
  };
}

/** False or true. */
export const boolean: WireType<boolean> = {
  description: "bool",
  cddl: { use: "bool" },
  read(item): boolean {
    if (typeof item !== "boolean") {
      throw new WireTypeError("EINVAL", "expected bool");
    }
    return item;
  },
  write: (to, value): void => to.boolean(value),
};

/** Null, or a value of `type`. */
export function nullable<T>(type: WireType<T>): WireType<T | null> {
  return {
    description: `${type.description} or null`,
    cddl: { ...type.cddl, use: `${type.cddl.use} / null` },
    read: (item): T | null => item === null ? null : type.read(item),
    write(to, value): void {
      if (value === null) to.null();
      else type.write(to, value);
    },
  };
}

/** Arrays of at most `most` values of `type`. */
export function list<T>(
  type: WireType<T>,
  most: number,
): WireType<readonly T[]> {
  const description = `array of ≤ ${most} × ${type.description}`;
  const check = (items: unknown): readonly unknown[] => {
    if (!Array.isArray(items) || items.length > most) {
      throw new WireTypeError("EINVAL", `expected ${description}`);
    }
    return items;
  };
  return {
    description,
    cddl: { ...type.cddl, use: `[*${most} ${type.cddl.use}]` },
    read: (item): readonly T[] => check(item).map((one) => type.read(one)),
    write(to, values): void {
      check(values);
      to.array(values.length);
      for (const value of values) type.write(to, value);
    },
  };
}

/** Arrays with one value for each of `fields`, in their order. */
export function record<F extends Fields>(
  name: string,
  fields: F,
): WireType<ValuesOf<F>> {
  const names = Object.keys(fields);
  return {
    description: name,
    cddl: recordCddl(name, fields),
    read(item): ValuesOf<F> {
      if (!Array.isArray(item)) {
        throw new WireTypeError("EINVAL", `expected ${name}`);
      }
      return readFields(fields, names, item, 0) as ValuesOf<F>;
    },
    write(to, value): void {
      to.array(names.length);
      writeFields(to, fields, names, value);
    },
  };
}

/** The rule of a record, behind those that it needs. */
function recordCddl(name: string, fields: Fields): CddlType {
  const rules: Record<string, string> = {};
  const values: string[] = [];
  for (const [field, { cddl }] of Object.entries(fields)) {
    Object.assign(rules, cddl.rules);
    values.push(`${field}: ${cddl.use}`);
  }
  rules[name] = `[${values.join(", ")}]`;
  return { use: name, rules };
}

/** Reads the items of an array, from `start` on, as the values of `fields`. */
export function readFields(
  fields: Fields,
  names: readonly string[],
  items: readonly unknown[],
  start: number,
): Record<string, unknown> {
  if (items.length !== start + names.length) {
    throw new WireTypeError(
      "EINVAL",
      `expected ${names.length} values, not ${items.length - start}`,
    );
  }
  const values: Record<string, unknown> = {};
  let i = 0;
  try {
    for (; i < names.length; i++) {
      values[names[i]] = fields[names[i]].read(items[start + i]);
    }
  } catch (error) {
    throw within(error, names[i]);
  }
  return values;
}

/** Writes the values of `fields` in their order. */
export function writeFields(
  to: FrameWriter,
  fields: Fields,
  names: readonly string[],
  values: Readonly<Record<string, unknown>>,
): void {
  let i = 0;
  try {
    for (; i < names.length; i++) {
      fields[names[i]].write(to, values[names[i]]);
    }
  } catch (error) {
    throw within(error, names[i]);
  }
}

/** Says in which field a value was refused. */
function within(error: unknown, field: string): unknown {
  return error instanceof WireTypeError
    ? new WireTypeError(error.code, `${field}: ${error.message}`)
    : error;
}
