/**
 * A case of the suite: one request, what must come of it, and what it must
 * have changed.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import assert from "node:assert/strict";
import type { Errno } from "../../../fs/errors.ts";
import type { Arguments, OperationName, Results } from "../../../rpc/mod.ts";
import type { Answer } from "./caller.ts";
import type { Outcome } from "./observed.ts";
import type { Trial } from "./trial.ts";
import type { Actor } from "./world.ts";

/**
 * What the volume is while the request is carried out: as usual, on a host
 * that cannot be read, with broken structures, full of blocks or of inodes,
 * refusing changes, or on a host that fails to store.
 */
export type Condition =
  | "usual"
  | "unreadable"
  | "damaged"
  | "full"
  | "crowded"
  | "refusing"
  | "unflushable: ENOSPC"
  | "unflushable: EROFS"
  | "unflushable: EIO";

/** See the module. */
export interface Case {
  /** What is asked for. */
  readonly operation: OperationName;
  /** How it ends. */
  readonly gives: Outcome;
  /** In which situation, in a few words. */
  readonly what: string;
  /** Who asks; the superuser if absent. */
  readonly as?: Actor;
  /** What the volume is; as usual if absent. */
  readonly when?: Condition;
  /** True if it needs a connection of its own. */
  readonly alone?: boolean;
  /** True if the case directory may be another afterwards. */
  readonly changes: boolean;
  /** Makes the situation; returns what is to be asked. */
  prepare(trial: Trial): unknown;
  /** Asks. */
  send(trial: Trial, args: unknown): Promise<Answer>;
  /** Looks at what came of it. */
  check(trial: Trial, answer: Answer, args: unknown): void | Promise<void>;
}

/** What is the same for both kinds of case. */
interface CaseOptions<K extends OperationName, A> {
  /** Who asks. */
  as?: Actor;
  /** What the volume is. */
  when?: Condition;
  /** Use a connection of its own. */
  alone?: boolean;
  /** Makes the situation; returns the arguments. */
  args: (trial: Trial) => A | Promise<A>;
  /** How it is asked, if not by a request of its own. */
  send?: (trial: Trial, args: A) => Promise<Answer<Results<K>>>;
}

/** A request that succeeds, and what must come of it. */
export interface SuccessOptions<K extends OperationName, A>
  extends CaseOptions<K, A> {
  /** True if nothing may have changed, of an operation that can change. */
  quiet?: boolean;
  /** Looks at results and effect. */
  check: (
    trial: Trial,
    results: Results<K>,
    args: A,
  ) => void | Promise<void>;
}

/** A request that fails, and so changes nothing. */
export interface FailureOptions<K extends OperationName, A>
  extends CaseOptions<K, A> {
  /** Looks at what else there is to see. */
  check?: (trial: Trial, args: A) => void | Promise<void>;
  /** True if something changes all the same; says why in the case. */
  changes?: boolean;
}

/** Declares a case that succeeds. */
export function succeeds<K extends OperationName, A = Arguments<K>>(
  operation: K,
  what: string,
  options: SuccessOptions<K, A>,
): Case {
  return {
    ...common(operation, options),
    what,
    gives: "ok",
    changes: !options.quiet,
    check(trial, answer, args) {
      if (answer.outcome !== "ok") assert.fail(answer.outcome);
      return options.check(trial, answer.results as Results<K>, args as A);
    },
  };
}

/** Declares a case that fails with `gives`. */
export function fails<K extends OperationName, A = Arguments<K>>(
  operation: K,
  gives: Errno,
  what: string,
  options: FailureOptions<K, A>,
): Case {
  return {
    ...common(operation, options),
    ...{ what, gives, changes: options.changes ?? false },
    check: (trial, _, args) => options.check?.(trial, args as A),
  };
}

function common<K extends OperationName, A>(
  operation: K,
  { as, when, alone, args, send }: CaseOptions<K, A>,
): Pick<
  Case,
  "operation" | "as" | "when" | "alone" | "prepare" | "send"
> {
  return {
    ...{ operation, as, when, alone },
    prepare: (trial) => args(trial),
    send(trial, args) {
      return send
        ? send(trial, args as A)
        : trial.caller.call(operation, args as Arguments<K>);
    },
  };
}
