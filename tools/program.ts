/**
 * The program as a whole: which command is meant, and what it answers itself.
 *
 * @module
 */

import config from "../deno.json" with { type: "json" };
import { suggestion } from "../rpc/suggestion.ts";
import { type Command, parseCommand } from "./cli.ts";
import { COMMANDS } from "./commands.ts";
import { UsageError } from "./errors.ts";
import { commandHelp, programHelp } from "./help.ts";
import { Output } from "./output.ts";

/**
 * The command that `name` means, or null where the program answers itself.
 * Throws {@link UsageError} for an unknown one, with the nearest known.
 */
export function findCommand(name: string | undefined): Command | null {
  const own = ["--help", "--version"];
  if (name === undefined || own.includes(name)) return null;
  const command = COMMANDS.find((one) => one.name === name);
  if (command) return command;
  const known = [...COMMANDS.map((one) => one.name), ...own];
  throw new UsageError(
    `Unknown command '${name}'${suggestion(name, known)}` +
      " (see 'nextfs --help')",
  );
}

/** Reads the arguments of `command` and does what they say. */
export async function runCommand(
  command: Command | null,
  args: string[],
): Promise<void> {
  if (command === null) {
    answer(
      args[0] === "--version"
        ? `nextfs ${config.version}`
        : programHelp(COMMANDS),
    );
    return;
  }
  const own = args.slice(1);
  const { values, operands, help } = parseCommand(
    command,
    command.translate?.(own) ?? own,
  );
  if (help) answer(commandHelp(command));
  else await command.run(values, operands);
}

function answer(text: string): void {
  const output = new Output();
  output.line(text);
  output.flush();
}
