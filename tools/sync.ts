/**
 * `nextfs sync`: what was changed is on stable storage when it ends.
 *
 * @module
 */

import { type Command, command } from "./cli.ts";
import { PathError } from "./errors.ts";
import { CONNECT, type Session, withSession } from "./session.ts";

/** The command `sync`. */
export const sync: Command = command({
  name: "sync",
  summary: "Wait until every change is on stable storage",
  operands: "",
  least: 0,
  most: 0,
  flags: CONNECT,
  notes: [
    "Every change that the server has answered, to whomever, is durable when " +
    "this ends with 0. A server does the same by itself at intervals, and " +
    "when it is stopped.",
  ],
  example: "nextfs sync --connect unix:files.img.sock",
  run: (values) => withSession("sync", values, syncAll),
});

/**
 * Waits until the server has made every change durable. Throws
 * {@link PathError} for the endpoint if it cannot.
 */
export async function syncAll({ files, endpoint }: Session): Promise<void> {
  try {
    await files.sync();
  } catch (error) {
    throw new PathError(endpoint, error);
  }
}
