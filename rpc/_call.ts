/**
 * What a client remembers of each call.
 *
 * @module
 */

import { type NumberedOperation, operationNamed } from "./operations/mod.ts";

/** A call that waits to be sent, or for its reply. */
export interface Call {
  /** What is called. */
  readonly operation: NumberedOperation;
  /** Its arguments by name. */
  readonly args: Readonly<Record<string, unknown>>;
  /** Takes the results. */
  readonly resolve: (results: never) => void;
  /** Takes what it failed with. */
  readonly reject: (error: unknown) => void;
  /** Ends it. */
  readonly signal?: AbortSignal;
  /** Takes results that nobody waits for. */
  readonly undo?: (results: never) => void;
  /** True if it may have the place that is kept for such. */
  readonly urgent?: boolean;
  /** Its id on the wire; 0 while it waits. */
  id: number;
  /** True if nobody waits for it any more. */
  aborted: boolean;
}

/** A call that cancels the one with an id. */
export function cancelling(id: number): Call {
  const nothing = (): void => {};
  return {
    operation: operationNamed("cancel"),
    args: { id },
    // Whether it came too late, or is not known there, changes nothing.
    resolve: nothing,
    reject: nothing,
    urgent: true,
    id: 0,
    aborted: false,
  };
}
