/**
 * The command line: commands and flags are tables, and the parser and the
 * help texts are both driven by them.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { parseEndpoint } from "../rpc/mod.ts";
import { suggestion } from "../rpc/suggestion.ts";
import { UsageError } from "./errors.ts";
import { parseSize } from "./sizes.ts";

/** One flag of a command. Its long name is its key in the table of flags. */
export interface Flag<T> {
  /** One letter, as in `-s`. */
  short?: string;
  /** Name of the value in the help, as in `--size SIZE`; absent: no value. */
  metavar?: string;
  /** Reads the value; throws `RangeError` if it is not one. */
  parse: (text: string) => T;
  /** What the command sees if the flag is not given. */
  fallback: T;
  /** True if each use adds a value. */
  multiple: boolean;
  /** One line of help. */
  help: string;
}

/** The flags of a command, by their long names. */
// deno-lint-ignore no-explicit-any
export type Flags = Record<string, Flag<any>>;

/** The values of the flags `F` on one command line. */
export type Values<F extends Flags> = {
  [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** A command of the program. */
// deno-lint-ignore no-explicit-any
export interface Command<F extends Flags = any> {
  /** Its name, as in `nextfs name`. */
  name: string;
  /** One line for the list of commands. */
  summary: string;
  /** The operands as the usage line shows them, as in `IMAGE [DIRECTORY]`. */
  operands: string;
  /** How few operands it takes. */
  least: number;
  /** How many operands it takes; unlimited if absent. */
  most?: number;
  /** Its flags. */
  flags: F;
  /** Rewrites other forms of its command line before they are read. */
  translate?: (args: string[]) => string[];
  /** What else there is to say: paragraphs below the flags. */
  notes?: string[];
  /** Exit codes of its own in the place of the usual ones. */
  exits?: { readonly failure: number; readonly usage: number };
  /** A command line that works. */
  example: string;
  /** Does it. */
  run: (values: Values<F>, operands: string[]) => Promise<void>;
}

/** The values of `flags` if none is given. */
export function defaults<F extends Flags>(flags: F): Values<F> {
  return Object.fromEntries(
    Object.entries(flags).map(([name, { fallback }]) => [name, fallback]),
  ) as Values<F>;
}

/** Gives a command its type from its own table of flags. */
export function command<F extends Flags>(definition: Command<F>): Command<F> {
  return definition;
}

/** A flag that is given or not. */
export function toggle(help: string, short?: string): Flag<boolean> {
  return {
    short,
    parse: () => true,
    fallback: false,
    multiple: false,
    help,
  };
}

/** A flag with a value; `undefined` if it is not given. */
export function option<T>(
  metavar: string,
  help: string,
  parse: (text: string) => T,
  short?: string,
): Flag<T | undefined> {
  return { short, metavar, parse, fallback: undefined, multiple: false, help };
}

/** A flag with a value and a default, which the help shows. */
export function setting<T>(
  metavar: string,
  help: string,
  parse: (text: string) => T,
  { short, fallback }: { short?: string; fallback: string },
): Flag<T> {
  return {
    short,
    metavar,
    parse,
    fallback: parse(fallback),
    multiple: false,
    help: `${help} (default: ${fallback})`,
  };
}

/** A flag that may be given several times. */
export function list(
  metavar: string,
  help: string,
  parse: (text: string) => string,
): Flag<string[]> {
  return {
    metavar,
    parse: (text) => [parse(text)],
    fallback: [],
    multiple: true,
    help,
  };
}

/** Reads any text. */
export const text: (value: string) => string = (value) => value;

/** Takes a path, which is not empty. */
export function path(value: string): string {
  if (value !== "") return value;
  throw new RangeError("the path is empty");
}

/** Reads a size, see {@link parseSize}. */
export const size: (text: string) => number = parseSize;

/** Reads a whole number in `[least, most]`. */
export function integer(least: number, most: number): (t: string) => number {
  return (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : NaN;
    if (!(number >= least && number <= most)) {
      throw new RangeError(
        `'${value}' is not a whole number from ${least} to ${most}`,
      );
    }
    return number;
  };
}

/** Reads an endpoint, and leaves it as it is. */
export function endpoint(value: string): string {
  try {
    parseEndpoint(value);
    return value;
  } catch (error) {
    throw new RangeError((error as Error).message);
  }
}

/** A command line, understood. */
export interface Invocation {
  /** The command. */
  command: Command;
  /** Values of its flags. */
  values: Record<string, unknown>;
  /** Its operands. */
  operands: string[];
  /** True if `--help` was given; nothing else was checked then. */
  help: boolean;
}

/**
 * Reads the arguments of `command`. Throws {@link UsageError} for an unknown
 * flag (with the nearest known one), a missing or wrong value, and a wrong
 * number of operands.
 */
export function parseCommand(command: Command, args: string[]): Invocation {
  const flags: Flags = { ...command.flags, help: toggle("Show this help") };
  const { tokens } = parseArgs({
    args,
    options: Object.fromEntries(
      Object.entries(flags).map(([name, flag]) => [name, {
        type: flag.metavar === undefined ? "boolean" : "string",
        ...(flag.short ? { short: flag.short } : {}),
      }]),
    ),
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  const values: Record<string, unknown> = defaults(flags);
  const operands: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") operands.push(token.value);
    if (token.kind !== "option") continue;
    const flag = Object.hasOwn(flags, token.name) ? flags[token.name] : null;
    if (!flag) throw unknownFlag(command, flags, token.rawName);
    const value = flagValue(flag, token.rawName, token.value);
    values[token.name] = flag.multiple
      ? [...values[token.name] as unknown[], ...value as unknown[]]
      : value;
  }
  const help = values.help === true;
  if (!help) checkOperands(command, operands);
  return { command, values, operands, help };
}

function flagValue<T>(flag: Flag<T>, name: string, value?: string): T {
  if (flag.metavar === undefined) {
    if (value === undefined) return flag.parse("");
    throw new UsageError(`${name} takes no value`);
  }
  if (value === undefined) {
    throw new UsageError(`${name} needs a value: ${name} ${flag.metavar}`);
  }
  try {
    return flag.parse(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`${name}: ${error.message}`);
  }
}

function unknownFlag(
  command: Command,
  flags: Flags,
  name: string,
): UsageError {
  const known = Object.keys(flags).map((flag) => `--${flag}`);
  return new UsageError(
    `Unknown flag ${name}${suggestion(name, known)}` +
      ` (see 'nextfs ${command.name} --help')`,
  );
}

function checkOperands(command: Command, operands: string[]): void {
  if (operands.length < command.least) {
    throw new UsageError(
      `Missing operand; usage: nextfs ${command.name} ${command.operands}`,
    );
  }
  if (operands.length > (command.most ?? Infinity)) {
    throw new UsageError(
      `Unexpected operand '${operands[command.most!]}'; ` +
        `usage: nextfs ${command.name} ${command.operands}`.trimEnd(),
    );
  }
}
