/**
 * Errors of the server, with the path they are about.
 *
 * @module
 */

import { ERRNO_TEXT, FsError } from "../fs/errors.ts";
import type { Client } from "./client.ts";
import type { RemotePath } from "./file_options.ts";

/** What is done, and with which file. */
export interface Action {
  /** What is done, as in "rename". */
  readonly operation: string;
  /** The path that was given. */
  readonly path: RemotePath;
  /** The second path, of operations that have two. */
  readonly to?: RemotePath;
}

/** Does `act`; an error of the server then says what failed with which file. */
export async function naming<T>(
  client: Client,
  action: Action,
  act: () => Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw named(client, action, error);
  }
}

/** The error with its action, unless it has one or is the connection's. */
export function named(
  client: Client,
  { operation, path, to }: Action,
  error: unknown,
): unknown {
  if (!(error instanceof FsError) || error.path !== undefined) return error;
  if (client.ended) return error;
  const usual = ERRNO_TEXT[error.code];
  const detail = error.message.slice(usual.length + ": ".length);
  return new FsError(error.code, detail, {
    operation,
    path: textOf(path),
    ...(to === undefined ? {} : { to: textOf(to) }),
    cause: error,
  });
}

const utf8 = new TextDecoder();

/** The path for people: U+FFFD stands for what is not UTF-8. */
function textOf(path: RemotePath): string {
  return typeof path === "string" ? path : utf8.decode(path);
}
