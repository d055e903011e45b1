/**
 * Handlers: the connection itself.
 *
 * @module
 */

import type { SESSION_OPERATIONS } from "../operations/session.ts";
import type { HandlersOf } from "./handler.ts";

/** See the module. */
export const SESSION_HANDLERS: HandlersOf<
  Exclude<keyof typeof SESSION_OPERATIONS, "hello">
> = {
  ping: () => ({}),

  // The connection has waited for what was asked before.
  goodbye: () => ({}),

  cancel: (session, { id }) => ({ found: session.cancel(id) }),
};
