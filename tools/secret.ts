/**
 * SECRET on a command line: where a password is to be taken from.
 *
 * `file=PATH`, `env=NAME` and `fd=N`, or the same with a colon, name a place;
 * anything else is the password itself. What comes from a place loses one
 * newline at its end, which editors and `echo` put there.
 *
 * @module
 */

import { closeSync, openSync, readSync } from "node:fs";
import { SECRET_PLACES } from "../bd/original/device_spec.ts";
import { errorText, UsageError } from "./errors.ts";
import { readBounded, withoutNewline } from "./read_bounded.ts";

/** Longest secret that is read from a place, in bytes. */
const SECRET_MAX = 64 << 10;

/** Where a secret comes from. */
export type SecretSource =
  | { readonly place: "file"; readonly path: string }
  | { readonly place: "env"; readonly name: string }
  | { readonly place: "fd"; readonly descriptor: number }
  | { readonly place: "literal"; readonly text: string };

/** How a secret is read. */
export interface SecretOptions {
  /** What it is, for messages, as in `-k`. */
  readonly what: string;
  /** Takes a warning, for a person to read. */
  readonly warn: (message: string) => void;
}

/**
 * Reads the form of a SECRET, not the secret itself. Throws `RangeError` for
 * a place without a name and for an `fd` that is no number.
 */
export function parseSecretSource(text: string): SecretSource {
  const match = PLACE.exec(text);
  if (!match) return { place: "literal", text };
  const [, place, name] = match;
  if (name === "") {
    throw new RangeError(`'${text}' names no ${NAMED[place]}`);
  }
  if (place === "file") return { place, path: name };
  if (place === "env") {
    if (/[=\0]/.test(name)) {
      throw new RangeError(`'${name}' is not the name of a variable`);
    }
    return { place, name };
  }
  if (!/^\d{1,9}$/.test(name)) {
    throw new RangeError(`'${name}' is not the number of an open descriptor`);
  }
  return { place: "fd", descriptor: Number(name) };
}

const PLACE = new RegExp(`^(${SECRET_PLACES.join("|")})[=:](.*)$`, "s");
const NAMED: Record<string, string> = {
  file: "file",
  env: "variable",
  fd: "descriptor",
};

/** A SECRET of a command line whose form is right; for tables of flags. */
export function secretText(text: string): string {
  parseSecretSource(text);
  return text;
}

/**
 * Reads a secret; the caller overwrites the bytes when it is done with them.
 * Throws {@link UsageError} if it cannot be read, is empty, or is longer than
 * 64 KiB. A literal is warned about.
 */
export function readSecret(text: string, options: SecretOptions): Uint8Array {
  const secret = fromSource(sourceOf(text, options.what), options);
  if (secret.length > 0) return secret;
  throw new UsageError(`${options.what}: the password is empty`);
}

function sourceOf(text: string, what: string): SecretSource {
  try {
    return parseSecretSource(text);
  } catch (error) {
    throw new UsageError(`${what}: ${errorText(error)}`);
  }
}

function fromSource(
  source: SecretSource,
  { what, warn }: SecretOptions,
): Uint8Array {
  switch (source.place) {
    case "literal":
      if (source.text !== "") {
        warn(
          `${what}: a password on the command line can be seen by others: ` +
            "use file:, env: or fd:",
        );
      }
      return new TextEncoder().encode(source.text);
    case "env": {
      const value = fromEnvironment(source.name, what);
      return checked(new TextEncoder().encode(value), what);
    }
    case "file":
      return fromPlace(what, source.path, () => readFile(source.path));
    case "fd": {
      const { descriptor } = source;
      return fromPlace(
        what,
        `descriptor ${descriptor}`,
        () => readDescriptor(descriptor),
      );
    }
  }
}

function fromEnvironment(name: string, what: string): string {
  let value: string | undefined;
  try {
    value = Deno.env.get(name);
  } catch (error) {
    throw new UsageError(`${what}: ${name}: ${errorText(error)}`);
  }
  if (value !== undefined) return value;
  throw new UsageError(`${what}: the variable ${name} is not set`);
}

function fromPlace(
  what: string,
  where: string,
  read: () => Uint8Array,
): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = read();
  } catch (error) {
    throw new UsageError(`${what}: ${where}: ${errorText(error)}`);
  }
  return checked(bytes, `${what}: ${where}`);
}

function checked(bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.length > SECRET_MAX) {
    bytes.fill(0);
    throw new UsageError(`${what}: longer than ${SECRET_MAX} bytes`);
  }
  return withoutNewline(bytes);
}

function readFile(path: string): Uint8Array {
  const descriptor = openSync(path, "r");
  try {
    return readToEnd(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Reads a descriptor this process was started with. The runtime keeps a table
 * of descriptors of its own, in which of those there are only 0, 1 and 2; the
 * others are reached by their names in /dev/fd.
 */
function readDescriptor(descriptor: number): Uint8Array {
  if (descriptor <= 2) return readToEnd(descriptor);
  try {
    return readFile(`/dev/fd/${descriptor}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new Error(
      "not open, or not a pipe, which is all that the permissions of this " +
        "process let it read (for a file give file=PATH)",
      { cause: error },
    );
  }
}

/** All that can be read, up to one byte more than is allowed. */
function readToEnd(descriptor: number): Uint8Array {
  return readBounded(
    (into) => readSync(descriptor, into, 0, into.length, null),
    SECRET_MAX + 1,
  );
}
