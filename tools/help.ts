/**
 * Help texts, made from the same tables as the parser.
 *
 * @module
 */

import type { Command, Flags } from "./cli.ts";
import { EXIT, EXIT_MEANING } from "./exit_codes.ts";

const WIDTH = 78;

/** `nextfs --help`: what it is and what it can do. */
export function programHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map((c) => c.name.length));
  return [
    "nextfs: a file server on volumes that are encrypted, verified, or both.",
    "",
    "Usage: nextfs COMMAND [FLAGS] [OPERANDS]",
    "",
    ...commands.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`),
    "",
    "'nextfs COMMAND --help' says more. 'nextfs --version' prints the version.",
    "Client commands find the server by --connect or by NEXTFS_CONNECT.",
    "",
    "Exit codes:",
    ...Object.entries(EXIT).map(([name, code]) =>
      `  ${String(code).padStart(3)}  ${
        EXIT_MEANING[name as keyof typeof EXIT]
      }`
    ),
  ].join("\n");
}

/** `nextfs COMMAND --help`. */
export function commandHelp(command: Command): string {
  const rows = Object.entries(command.flags as Flags).map(([name, flag]) => {
    const short = flag.short ? `-${flag.short}, ` : "    ";
    const value = flag.metavar ? ` ${flag.metavar}` : "";
    return [`${short}--${name}${value}`, flag.help];
  });
  rows.push(["    --help", "Show this help"]);
  const width = Math.max(...rows.map(([flag]) => flag.length));
  const lines = [
    `Usage: nextfs ${command.name} [FLAGS] ${command.operands}`.trimEnd(),
    "",
    `${command.summary}.`,
    "",
  ];
  for (const [flag, help] of rows) {
    const [first, ...rest] = wrap(help, WIDTH - width - 4);
    lines.push(`  ${flag.padEnd(width)}  ${first}`);
    for (const line of rest) lines.push(" ".repeat(width + 4) + line);
  }
  for (const note of command.notes ?? []) lines.push("", ...wrap(note, WIDTH));
  lines.push("", "Example:", `  ${command.example}`);
  return lines.join("\n");
}

/** Breaks a text into lines of at most `width` characters. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line += line ? ` ${word}` : word;
  }
  lines.push(line);
  return lines;
}
