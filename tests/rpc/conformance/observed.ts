/**
 * What servers were seen to answer, and whether the table says so.
 *
 * @module
 */

import type { Errno } from "../../../fs/errors.ts";
import { ERRNO_NUMBER } from "../../../rpc/errno.ts";
import {
  OPERATION_LIST,
  type OperationName,
  operationNumbered,
  USUAL_ERRORS,
} from "../../../rpc/mod.ts";

/** How a request can end. */
export type Outcome = "ok" | Errno;

const NAMES = new Map(
  Object.entries(ERRNO_NUMBER).map(([name, number]) => [number, name as Errno]),
);

/** The name of a status; throws for a number that the protocol has not. */
export function outcomeOf(status: number): Outcome {
  if (status === 0) return "ok";
  const name = NAMES.get(status);
  if (name === undefined) throw new Error(`${status} is no status`);
  return name;
}

/** What the table says that an operation can end with. */
export function outcomesOf(name: OperationName): ReadonlySet<Outcome> {
  const row = OPERATION_LIST.find((one) => one.name === name)!;
  return new Set<Outcome>(["ok", ...USUAL_ERRORS, ...row.errors]);
}

/** Counts answers by operation and outcome. */
export class Observed {
  readonly #counts = new Map<OperationName, Map<Outcome, number>>();

  /** Takes note of an answer. */
  note(operation: OperationName, outcome: Outcome): void {
    const counts = this.#counts.get(operation) ?? new Map<Outcome, number>();
    this.#counts.set(operation, counts);
    counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  }

  /** Takes note of an answer to the operation of this number, if there is. */
  noteNumber(number: number, status: number): void {
    const name = operationNumbered(number)?.name;
    if (name !== undefined) this.note(name, outcomeOf(status));
  }

  /** The answers that are not in the table: `mkdir: EBUSY`. */
  unexpected(): string[] {
    const found: string[] = [];
    for (const [operation, counts] of this.#counts) {
      const listed = outcomesOf(operation);
      for (const outcome of counts.keys()) {
        if (!listed.has(outcome)) found.push(`${operation}: ${outcome}`);
      }
    }
    return found.sort();
  }

  /** How often an operation was answered like that. */
  count(operation: OperationName, outcome: Outcome): number {
    return this.#counts.get(operation)?.get(outcome) ?? 0;
  }
}
