/**
 * The table of operations: the protocol's one definition.
 *
 * Client calls, the server's dispatch, the types of both, the bounds on every
 * argument, `docs/rpc.md` and `rpc/nextfs.cddl` come from here.
 *
 * @module
 */

import type { ValuesOf } from "../wire_types.ts";
import { compoundOperation } from "./compound.ts";
import { FILE_OPERATIONS } from "./files.ts";
import { LOCK_OPERATIONS } from "./locks.ts";
import { NODE_OPERATIONS } from "./nodes.ts";
import type { Operation } from "./operation.ts";
import { ORIGINAL_OPERATIONS } from "./original.ts";
import { SESSION_OPERATIONS } from "./session.ts";

export type {
  CompoundArguments,
  CompoundReply,
  CompoundResultFields,
  CompoundResults,
  CompoundStep,
  NamedOperation,
} from "./compound.ts";
export { STEPS_MAX } from "./compound.ts";
export { LOCK_EXCLUSIVE, LOCK_NONE, LOCK_SHARED } from "./locks.ts";
export { type Operation, USUAL_ERRORS } from "./operation.ts";
export { WALK_MAX } from "./nodes.ts";
export type { ListedEntry, Node } from "../wire_values.ts";

/** Every operation, by name. */
export const OPERATIONS = {
  ...ORIGINAL_OPERATIONS,
  ...SESSION_OPERATIONS,
  ...NODE_OPERATIONS,
  ...FILE_OPERATIONS,
  ...LOCK_OPERATIONS,
  compound: compoundOperation((number) => operationNumbered(number)),
} as const;

/** The name of an operation. */
export type OperationName = keyof typeof OPERATIONS;

/** The arguments of an operation, by name. */
export type Arguments<K extends OperationName> = ValuesOf<
  (typeof OPERATIONS)[K]["arguments"]
>;

/** The results of an operation, by name. */
export type Results<K extends OperationName> = ValuesOf<
  (typeof OPERATIONS)[K]["results"]
>;

/** What a server says of itself in its hello. */
export type HelloReply = Results<"hello">;

/** An operation with what dispatch needs at hand. */
export interface NumberedOperation extends Operation {
  /** Its name. */
  readonly name: OperationName;
  /** Names of its arguments, in their order. */
  readonly argumentNames: readonly string[];
  /** Names of its results, in their order. */
  readonly resultNames: readonly string[];
}

/** Every operation with its names, in the order of the numbers. */
export const OPERATION_LIST: readonly NumberedOperation[] = Object.entries(
  OPERATIONS as unknown as Record<OperationName, Operation>,
).map(([name, one]) => ({
  ...one,
  name: name as OperationName,
  argumentNames: Object.keys(one.arguments),
  resultNames: Object.keys(one.results),
})).sort((one, other) => one.number - other.number);

const BY_NAME = new Map(OPERATION_LIST.map((one) => [one.name, one]));
const BY_NUMBER = new Map(OPERATION_LIST.map((one) => [one.number, one]));

/** The operation called `name`. */
export function operationNamed(name: OperationName): NumberedOperation {
  return BY_NAME.get(name)!;
}

/** The operation with this number, or undefined: `ENOSYS`. */
export function operationNumbered(
  number: number,
): NumberedOperation | undefined {
  return BY_NUMBER.get(number);
}
