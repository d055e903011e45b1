/**
 * Several operations in one request.
 *
 * @module
 */

import type { FrameWriter } from "../frame_writer.ts";
import { FRAME_MAX, SMALL_REPLY } from "../limits.ts";
import {
  type Fields,
  readFields,
  type WireType,
  WireTypeError,
  writeFields,
} from "../wire_types.ts";
import { type Operation, operation, SESSION } from "./operation.ts";

/** The most steps of a compound. */
export const STEPS_MAX = 16;

/** A row of the table, with its names. */
export interface NamedOperation extends Operation {
  /** Names of its arguments, in their order. */
  readonly argumentNames: readonly string[];
  /** Names of its results, in their order. */
  readonly resultNames: readonly string[];
}

/** One operation of a compound. */
export interface CompoundStep {
  /** What is asked. */
  readonly operation: NamedOperation;
  /** Its arguments by name. */
  readonly args: Readonly<Record<string, unknown>>;
}

/** What became of one operation of a compound. */
export type CompoundReply = {
  /** 0. */
  readonly status: 0;
  /** Its results in their order: as decoded, or to be written. */
  readonly results: readonly unknown[] | CompoundResults;
} | {
  /** Why it failed, an errno number. */
  readonly status: number;
  /** What there is to say besides. */
  readonly detail: string;
};

/** Results that are to be written. */
export interface CompoundResults {
  /** The operation they are of. */
  readonly operation: NamedOperation;
  /** The results by name. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** Looks for a row by its number. */
type Lookup = (number: number) => NamedOperation | undefined;

/** What is asked, on the wire: arrays of a number and arguments. */
function steps(lookup: Lookup): WireType<readonly CompoundStep[]> {
  const description = `array of 1…${STEPS_MAX} × step`;
  const check = (items: unknown): readonly unknown[] => {
    const isList = Array.isArray(items) && items.length >= 1 &&
      items.length <= STEPS_MAX;
    if (!isList) throw new WireTypeError("EINVAL", `expected ${description}`);
    return items;
  };
  return {
    description,
    cddl: { use: `[1*${STEPS_MAX} step]` },
    read: (items) => check(items).map((item) => readStep(item, lookup)),
    write(to, values): void {
      check(values);
      to.array(values.length);
      for (const { operation, args } of values) {
        const names = operation.argumentNames;
        to.array(1 + names.length);
        to.int(operation.number);
        writeFields(to, operation.arguments, names, args);
      }
    },
  };
}

function readStep(item: unknown, lookup: Lookup): CompoundStep {
  const number = Array.isArray(item) ? item[0] : undefined;
  if (typeof number !== "number") {
    throw new WireTypeError("EINVAL", "expected a step: [operation, …]");
  }
  const operation = lookup(number);
  if (operation === undefined) {
    throw new WireTypeError("ENOSYS", `${number} is no operation`);
  }
  if (operation.alone) {
    throw new WireTypeError("EINVAL", `${number} cannot be a step`);
  }
  const names = operation.argumentNames;
  const args = readFields(operation.arguments, names, item as unknown[], 1);
  return { operation, args };
}

/** What became of it, on the wire: arrays of a status and results. */
const replies: WireType<readonly CompoundReply[]> = {
  description: `array of ≤ ${STEPS_MAX} × step reply`,
  cddl: { use: `[*${STEPS_MAX} step-reply]` },
  read(items): readonly CompoundReply[] {
    if (!Array.isArray(items) || items.length > STEPS_MAX) {
      throw new WireTypeError("EINVAL", `expected ${replies.description}`);
    }
    return items.map(readReply);
  },
  write(to, values): void {
    to.array(values.length);
    for (const value of values) writeReply(to, value);
  },
};

function readReply(item: unknown): CompoundReply {
  const status = Array.isArray(item) ? item[0] : undefined;
  if (typeof status !== "number") {
    throw new WireTypeError("EINVAL", "expected the reply of a step");
  }
  const results = (item as unknown[]).slice(1);
  if (status === 0) return { status, results };
  const [detail] = results;
  return { status, detail: typeof detail === "string" ? detail : "" };
}

function writeReply(to: FrameWriter, reply: CompoundReply): void {
  if ("detail" in reply) {
    to.array(2);
    to.int(reply.status);
    to.text(reply.detail);
    return;
  }
  const { operation, values } = reply.results as CompoundResults;
  const names = operation.resultNames;
  to.array(1 + names.length);
  to.int(0);
  writeFields(to, operation.results, names, values);
}

/** Bytes that the replies of all steps do not exceed. */
export function repliesSize(steps: readonly CompoundStep[]): number {
  return steps.reduce(
    (sum, { operation, args }) =>
      sum + (operation.replySize?.(args as never) ?? SMALL_REPLY),
    SMALL_REPLY,
  );
}

/** The row of the table, whose steps are found by `lookup`. */
export function compoundOperation(
  lookup: Lookup,
): Operation<CompoundArguments, CompoundResultFields> {
  return operation({
    number: 101,
    doc: "Carries out several operations, one after the other, and stops at " +
      "the first that fails: the last reply says why. Others' requests may " +
      "come between them.",
    ...SESSION,
    alone: true,
    errors: ["ENAMETOOLONG", "ENOSYS"],
    arguments: { steps: steps(lookup) },
    results: { replies },
    replySize: ({ steps }): number => Math.min(repliesSize(steps), FRAME_MAX),
  });
}

/** The arguments of a compound. */
export interface CompoundArguments extends Fields {
  /** What is asked, in order. */
  readonly steps: WireType<readonly CompoundStep[]>;
}

/** The results of a compound. */
export interface CompoundResultFields extends Fields {
  /** What became of the steps, up to the first that failed. */
  readonly replies: WireType<readonly CompoundReply[]>;
}
