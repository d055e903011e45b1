/**
 * The original server's command line, in terms of ours:
 *
 * ```
 * [-a] [-b DEVICE[:config]] [-d] [-l LOGFILE] [-v]
 * [-Z CACERT CERT PRIVKEY] UDSPATH IMAGE
 * ```
 *
 * Two operands are what makes it the original's: ours has one at most, and
 * `--listen`. Its flags may stand beside one operand, too, except `-a`, which
 * says what UDSPATH is; and ours beside two.
 *
 * @module
 */

import type { Flag, Flags } from "./cli.ts";
import { UsageError } from "./errors.ts";

/** What the original's flags are called here. */
const LONG_NAMES: Readonly<Record<string, string>> = {
  d: "detach",
  l: "log-file",
  v: "verbose",
};
/** What the three values of `-Z` are called here. */
const TLS_NAMES = ["client-ca", "tls-cert", "tls-key"];

/**
 * Rewrites the arguments of `serve`, which has the flags `flags`, into ones
 * that `parseCommand` understands. What is ours already stays as it is, so
 * that errors are found there. Throws {@link UsageError} for `-Z` without
 * three values, for `-a` without UDSPATH IMAGE, and for
 * another flag without its value.
 */
export function translateCommandLine(args: string[], flags: Flags): string[] {
  const line = new OriginalLine(flags);
  const rest = [...args];
  while (rest.length > 0) {
    const arg = rest.shift()!;
    if (arg === "--") {
      line.operands.push(...rest);
      break;
    }
    if (arg.startsWith("--")) line.long(arg, rest);
    else if (arg.startsWith("-") && arg !== "-") line.short(arg, rest);
    else line.operands.push(arg);
  }
  return line.translated();
}

/** A command line as far as it has been read. */
class OriginalLine {
  /** Operands so far. */
  readonly operands: string[] = [];
  readonly #flags: Flags;
  readonly #byLetter: Map<string, [string, Flag<unknown>]>;
  readonly #args: string[] = [];
  #abstract = false;

  constructor(flags: Flags) {
    this.#flags = flags;
    this.#byLetter = new Map(
      Object.entries(flags).flatMap(([name, flag]) =>
        flag.short ? [[flag.short, [name, flag]]] : []
      ),
    );
  }

  /** Reads `--name`, and its value from `rest` if it has one there. */
  long(arg: string, rest: string[]): void {
    this.#args.push(arg);
    const name = arg.slice(2);
    // What has its value behind a '=' is no name of a flag.
    const flag = Object.hasOwn(this.#flags, name) ? this.#flags[name] : null;
    if (flag?.metavar !== undefined) {
      this.#args.push(valueOf(arg, flag, rest));
    }
  }

  /** Reads `-x`, or several of them together, and values from `rest`. */
  short(arg: string, rest: string[]): void {
    for (let at = 1; at < arg.length; at++) {
      const letter = arg[at];
      const behind = arg.slice(at + 1);
      if (letter === "Z") {
        this.#tls(behind, rest);
        return;
      }
      const name = LONG_NAMES[letter] ?? this.#byLetter.get(letter)?.[0];
      const flag = name === undefined ? undefined : this.#flags[name];
      if (letter === "a" && !flag) this.#abstract = true;
      else if (!flag) this.#args.push(`-${letter}`);
      else if (flag.metavar === undefined) this.#args.push(`--${name}`);
      else {
        const value = behind || valueOf(`-${letter}`, flag, rest);
        this.#args.push(`--${name}=${value}`);
        return;
      }
    }
  }

  /** The same in our terms. */
  translated(): string[] {
    const { operands } = this;
    const args = [...this.#args];
    if (operands.length === 2) {
      args.push(`--listen=${this.#endpoint(operands[0])}`, "--", operands[1]);
      return args;
    }
    if (this.#abstract) {
      throw new UsageError(
        "-a says that UDSPATH is an abstract name: serve -a UDSPATH IMAGE",
      );
    }
    return operands.length > 0 ? [...args, "--", ...operands] : args;
  }

  #tls(behind: string, rest: string[]): void {
    const values = behind === "" ? [] : [behind];
    while (values.length < 3 && rest.length > 0) values.push(rest.shift()!);
    if (values.length < 3) {
      throw new UsageError("-Z needs three values: -Z CACERT CERT PRIVKEY");
    }
    this.#args.push(...TLS_NAMES.map((name, i) => `--${name}=${values[i]}`));
  }

  #endpoint(path: string): string {
    if (this.#abstract) return `unix:@${path}`;
    // An endpoint that starts with '@' is an abstract one.
    return `unix:${path.startsWith("@") ? "./" : ""}${path}`;
  }
}

/** Takes the value of a flag from what comes behind it. */
function valueOf(name: string, flag: Flag<unknown>, rest: string[]): string {
  const value = rest.shift();
  if (value !== undefined) return value;
  throw new UsageError(`${name} needs a value: ${name} ${flag.metavar}`);
}
