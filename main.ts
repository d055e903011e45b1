/**
 * The program `nextfs`: parses, calls, and turns errors into exit codes.
 *
 * @module
 */

import { IntegrityError, InUseError } from "./bd/mod.ts";
import { JournalNeededError } from "./bd/original/image_journal.ts";
import {
  AnchorOptionError,
  NotAVolumeError,
  RollbackError,
  VolumeIntegrityError,
  WrongKeyError,
} from "./bd/volume/mod.ts";
import type { Command } from "./tools/cli.ts";
import {
  BadBlocksError,
  BrokenPipeError,
  errorText,
  InterruptedError,
  NoVolumeError,
  PathError,
  ProblemsFoundError,
  ProcessFailedError,
  ReportedError,
  UsageError,
} from "./tools/errors.ts";
import { EXIT } from "./tools/exit_codes.ts";
import { giveBackRun } from "./tools/permissions.ts";
import { findCommand, runCommand } from "./tools/program.ts";

function exitCode(error: unknown, own: Command["exits"] = EXIT): number {
  if (error instanceof UsageError) return own.usage;
  if (error instanceof AnchorOptionError) return own.usage;
  if (error instanceof JournalNeededError) return own.usage;
  if (error instanceof NoVolumeError) return EXIT.noVolume;
  if (error instanceof NotAVolumeError) return EXIT.noVolume;
  if (error instanceof InUseError) return EXIT.inUse;
  if (error instanceof WrongKeyError) return EXIT.wrongKey;
  if (error instanceof VolumeIntegrityError) return EXIT.integrity;
  if (error instanceof IntegrityError) return EXIT.integrity;
  if (error instanceof RollbackError) return EXIT.rolledBack;
  if (error instanceof BadBlocksError) return EXIT.integrity;
  if (error instanceof ProblemsFoundError) return error.exitCode;
  if (error instanceof ProcessFailedError) return error.exitCode;
  if (error instanceof InterruptedError) return EXIT.interrupted;
  if (error instanceof BrokenPipeError) return EXIT.brokenPipe;
  // An error of a path says why, and that counts.
  if (error instanceof PathError && error.cause) {
    return exitCode(error.cause, own);
  }
  return own.failure;
}

async function main(args: string[]): Promise<number> {
  let name = "nextfs";
  giveBackRun(args);
  let command: Command | null = null;
  try {
    command = findCommand(args[0]);
    if (command) name += ` ${command.name}`;
    await runCommand(command, args);
    return EXIT.ok;
  } catch (error) {
    const silent = error instanceof ReportedError ||
      error instanceof BrokenPipeError;
    if (!silent) console.error(`${name}: ${errorText(error)}`);
    return exitCode(error, command?.exits);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
