/**
 * Handlers: advisory locks.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import {
  LOCK_EXCLUSIVE,
  LOCK_NONE,
  type LOCK_OPERATIONS,
} from "../operations/locks.ts";
import type { OpenFile } from "../descriptors.ts";
import { FsError } from "../../fs/errors.ts";
import type { HandlersOf } from "./handler.ts";

/** See the module. */
export const LOCK_HANDLERS: HandlersOf<keyof typeof LOCK_OPERATIONS> = {
  getLock(session, { descriptor, ...asked }) {
    const { ino } = session.descriptors.get(descriptor);
    const { locks } = session.options;
    return { lock: locks.test({ ino, session, ...asked }) };
  },

  setLock(session, { descriptor, kind, wait, ...asked }, call) {
    const file = session.descriptors.get(descriptor);
    const { ino } = file;
    if (kind !== LOCK_NONE) checkAccess(kind, file);
    const { locks, maxLocks: limit } = session.options;
    const what = { kind: KINDS[kind], limit, ...asked };
    const request = { ino, session, descriptor, ...what };
    const options = wait ? { wait, signal: call.signal() } : {};
    const waiting = locks.set(request, options);
    return waiting ? waiting.then(() => ({})) : {};
  },
};

/** The names of the numbers of `kind`. */
const KINDS = ["unlocked", "shared", "exclusive"] as const;

/** A lock to read needs a file that may be read, one to write the other. */
function checkAccess(kind: number, file: OpenFile): void {
  const isAllowed = kind === LOCK_EXCLUSIVE ? file.writable : file.readable;
  if (!isAllowed) throw new FsError("EBADF", "not open for such a lock");
}
