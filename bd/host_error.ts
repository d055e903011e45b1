/**
 * Errors of the host about a file, in words that say which file it is.
 *
 * @module
 */

import { ERRNO_TEXT, FsError } from "../fs/errors.ts";
import { DeviceError } from "./block_device.ts";

/**
 * What to throw if `path` could not be opened, or if another `action` failed
 * there: the runtime's own errors name calls and arguments, where a user asks
 * for the file. Other errors are the same as before.
 */
export function hostError(
  path: string,
  error: unknown,
  { action = "open" }: { action?: string } = {},
): unknown {
  const { code } = error as { code?: unknown };
  if (typeof code !== "string") return error;
  if (error instanceof DeviceError || error instanceof FsError) return error;
  const reason = Object.hasOwn(ERRNO_TEXT, code)
    ? ERRNO_TEXT[code as keyof typeof ERRNO_TEXT]
    : code;
  return new Error(`Cannot ${action} ${path}: ${reason}`, { cause: error });
}
