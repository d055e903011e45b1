/**
 * The handler of each operation.
 *
 * @module
 */

import type { OperationName } from "../operations/mod.ts";
import { FILE_HANDLERS } from "./files.ts";
import type { HandlersOf } from "./handler.ts";
import { LOCK_HANDLERS } from "./locks.ts";
import { NODE_HANDLERS } from "./nodes.ts";
import { ORIGINAL_HANDLERS } from "./original.ts";
import { SESSION_HANDLERS } from "./session.ts";

export type { Call } from "./handler.ts";

/** What carries out each operation; these two are the session's own. */
export const HANDLERS: HandlersOf<
  Exclude<OperationName, "hello" | "compound">
> = {
  ...ORIGINAL_HANDLERS,
  ...SESSION_HANDLERS,
  ...NODE_HANDLERS,
  ...FILE_HANDLERS,
  ...LOCK_HANDLERS,
};
