/**
 * Which outcomes of which operations have cases.
 *
 * @module
 */

import { OPERATION_LIST, type OperationName } from "../../../rpc/mod.ts";
import type { Case } from "./case.ts";
import { type Outcome, outcomesOf } from "./observed.ts";
import { reasonFor } from "./reasons.ts";

function count(
  cases: readonly Case[],
  operation: OperationName,
  outcome: Outcome,
): number {
  return cases.filter((one) =>
    one.operation === operation && one.gives === outcome
  ).length;
}

/** A line for each operation: how many cases each outcome has. */
export function matrixLines(cases: readonly Case[]): string[] {
  const lines = OPERATION_LIST.map(({ name }) => {
    const cells = [...outcomesOf(name)].map((outcome) =>
      `${outcome} ${count(cases, name, outcome) || "–"}`
    );
    return `${name.padEnd(18)} ${cells.join("  ")}`;
  });
  const total = `${cases.length} cases, each over every transport and device`;
  return [...lines, total];
}

/** The cells that are empty without a reason, and reasons for none. */
export function emptyCells(cases: readonly Case[]): string[] {
  return OPERATION_LIST.flatMap(({ name }) =>
    [...outcomesOf(name)].flatMap((outcome) => {
      const isEmpty = count(cases, name, outcome) === 0;
      const hasReason = reasonFor(name, outcome) !== undefined;
      if (isEmpty === hasReason) return [];
      return [
        `${name}: ${outcome}${isEmpty ? "" : " has a case and a reason"}`,
      ];
    })
  );
}
