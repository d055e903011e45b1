import { deepEqual, equal, match, throws } from "node:assert/strict";
import {
  command,
  integer,
  list,
  option,
  parseCommand,
  setting,
  size,
  toggle,
} from "./cli.ts";
import { UsageError } from "./errors.ts";
import { commandHelp } from "./help.ts";

const example = command({
  name: "example",
  summary: "Shows flags",
  operands: "A [B]",
  least: 1,
  most: 2,
  flags: {
    all: toggle("All", "a"),
    size: option("SIZE", "Size", size, "s"),
    level: setting("N", "Level", integer(1, 9), { fallback: "3" }),
    listen: list("ENDPOINT", "Where", (text) => text),
  },
  example: "nextfs example x",
  run: () => Promise.resolve(),
});

Deno.test("parseCommand() reads flags in every usual form", () => {
  const args = [
    "-as",
    "4K",
    "x",
    "--level=5",
    "--listen",
    "p",
    "-",
    "--listen=q",
  ];
  const { values, operands } = parseCommand(example, args);
  deepEqual(values, {
    all: true,
    size: 4096,
    level: 5,
    listen: ["p", "q"],
    help: false,
  });
  deepEqual(operands, ["x", "-"]);
  deepEqual(parseCommand(example, ["--", "-a"]).operands, ["-a"]);
  equal(parseCommand(example, ["x"]).values.level, 3);
});

Deno.test("parseCommand() refuses wrong command lines and says why", () => {
  const cases: [string[], RegExp][] = [
    [[], /Missing operand; usage: nextfs example A \[B\]/],
    [["a", "b", "c"], /Unexpected operand 'c'/],
    [["--sise", "1"], /Unknown flag --sise; did you mean '--size'\?/],
    [["-z"], /Unknown flag -z \(see 'nextfs example --help'\)/],
    [["--toString"], /Unknown flag --toString/],
    [["x", "--size"], /--size needs a value: --size SIZE/],
    [["x", "--size="], /'' is not a size/],
    [["x", "--all=yes"], /--all takes no value/],
    [["x", "--level", "10"], /'10' is not a whole number from 1 to 9/],
  ];
  for (const [args, message] of cases) {
    throws(() => parseCommand(example, args), (error: unknown) => {
      match((error as UsageError).message, message);
      return error instanceof UsageError;
    });
  }
});

Deno.test("parseCommand() checks nothing else when asked for help", () => {
  equal(parseCommand(example, ["--help"]).help, true);
});

Deno.test("commandHelp() shows what the table holds", () => {
  const text = commandHelp(example);
  match(text, /^Usage: nextfs example \[FLAGS\] A \[B\]\n/);
  match(text, /\n {2}-a, --all +All\n/);
  match(text, /\n {6}--level N +Level \(default: 3\)\n/);
});
