/**
 * The errors that end a command, and how any error reads on the terminal.
 *
 * Commands throw; only `main.ts` turns an error into an exit code. An error
 * that belongs to one path of several is reported and the command goes on,
 * see {@link Reporter}.
 *
 * @module
 */

import { RollbackError } from "../bd/journal/errors.ts";
import { ERRNO_TEXT, FsError } from "../fs/errors.ts";
import { printable } from "./names.ts";

/** The way out of a {@link RollbackError}. */
const ACCEPT_ROLLBACK = "--accept-rollback GENERATION";

/** The command line is wrong: the message says what was expected. */
export class UsageError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "UsageError";
}

/** What is at the place of the image is not a volume, or nothing is there. */
export class NoVolumeError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "NoVolumeError";
}

/** Some paths failed; each has been reported already. */
export class ReportedError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "ReportedError";

  /** Makes the error; it has nothing more to say. */
  constructor() {
    super("Some paths failed");
  }
}

/** Blocks are lost; each has been reported already. */
export class BadBlocksError extends ReportedError {}

/** A check found problems, and has reported each. */
export class ProblemsFoundError extends ReportedError {
  /** Makes the error; `exitCode` says what has become of them. */
  constructor(readonly exitCode: number) {
    super();
  }
}

/** A process that did the work has failed, and has said why. */
export class ProcessFailedError extends ReportedError {
  /** Makes the error; `exitCode` is the process's own. */
  constructor(readonly exitCode: number) {
    super();
  }
}

/** A signal asked the command to stop before it was done. */
export class InterruptedError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "InterruptedError";
}

/** Nobody reads the standard output any more (`nextfs cat x | head`). */
export class BrokenPipeError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "BrokenPipeError";
}

/** The standard output cannot be written, on a full disk for example. */
export class OutputError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "OutputError";

  /** Makes the error; `cause` is the host's. */
  constructor(cause: unknown) {
    super(`standard output: ${errorText(cause)}`, { cause });
  }
}

/** An error of one path: `path` comes before the reason in the message. */
export class PathError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "PathError";

  /** Makes the error for `path`; the reason is the `cause`'s, or a text. */
  constructor(readonly path: string | Uint8Array, reason: unknown) {
    super(
      `${printable(path)}: ${
        typeof reason === "string" ? reason : errorText(reason)
      }`,
      typeof reason === "string" ? {} : { cause: reason },
    );
  }
}

/** The errno name of an error of the engine, the server or the host. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/**
 * What an error says to a user: the usual text of its errno where it comes
 * from the host (whose own message repeats the call and its arguments), else
 * its message.
 */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // The path stands in front of it already, as the user has given it.
  if (error instanceof FsError && error.path !== undefined) {
    return errorText(error.cause);
  }
  if (error instanceof RollbackError && error.isAcceptable) {
    return `${error.message} (${ACCEPT_ROLLBACK} takes it as it is)`;
  }
  // The runtime advises to give the program every permission.
  if (error instanceof Deno.errors.NotCapable) {
    return error.message.replace(/, run again with .*/s, ", and has it not");
  }
  const code = errnoOf(error);
  if (code && /\(os error \d+\)|^E[A-Z]+: /.test(error.message)) {
    return (ERRNO_TEXT as Record<string, string>)[code] ?? error.message;
  }
  return error.message || error.name;
}

/** Reports the errors of single paths on stderr and remembers that it did. */
export class Reporter {
  readonly #command: string;
  #failed = false;
  #damaged = false;

  /** Makes a reporter for `command`, as in `nextfs command: …`. */
  constructor(command: string) {
    this.#command = command;
  }

  /** Reports why `path` failed. An end of the whole command is thrown on. */
  report(path: string | Uint8Array, error: unknown): void {
    if (
      error instanceof BrokenPipeError || error instanceof InterruptedError ||
      error instanceof ReportedError || error instanceof OutputError
    ) throw error;
    this.#failed = true;
    const text = error instanceof PathError
      ? error.message
      : `${printable(path)}: ${errorText(error)}`;
    console.error(`nextfs ${this.#command}: ${text}`);
  }

  /** Reports what is lost of `path`, of which the rest is there. */
  reportDamage(path: string | Uint8Array, text: string): void {
    this.#damaged = true;
    console.error(`nextfs ${this.#command}: ${printable(path)}: ${text}`);
  }

  /** Runs `action` for `path` and reports its error, if it throws one. */
  async attempt(
    path: string | Uint8Array,
    action: () => void | Promise<void>,
  ): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.report(path, error);
    }
  }

  /**
   * Throws {@link BadBlocksError} if any damage was reported, and
   * {@link ReportedError} if anything else was.
   */
  finish(): void {
    if (this.#damaged) throw new BadBlocksError();
    if (this.#failed) throw new ReportedError();
  }
}
