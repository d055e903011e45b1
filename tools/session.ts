/**
 * What the client commands share: finding the server, and the connection.
 *
 * @module
 */

import { connect, RemoteFiles } from "../rpc/mod.ts";
import { type Flag, option, text } from "./cli.ts";
import { errnoOf, Reporter, UsageError } from "./errors.ts";
import { Output } from "./output.ts";

/** The flags of every client command. */
export const CONNECT: { connect: Flag<string | undefined> } = {
  connect: option(
    "ENDPOINT",
    "Server: unix:PATH or tcp:HOST:PORT (default: $NEXTFS_CONNECT)",
    text,
  ),
};

/** What a client command works with. */
export interface Session {
  /** The server's files. */
  files: RemoteFiles;
  /** Takes the errors of single paths. */
  reporter: Reporter;
  /** The standard output. */
  output: Output;
  /** The endpoint, as the user gave it. */
  endpoint: string;
}

/**
 * Runs `action` with a connection to the server, and closes it. Errors of
 * single paths end the command in the end.
 */
export async function withSession(
  command: string,
  endpoint: string | undefined,
  action: (session: Session) => Promise<void>,
): Promise<void> {
  const chosen = endpoint ?? Deno.env.get("NEXTFS_CONNECT");
  if (!chosen) {
    throw new UsageError(
      "Which server? Give --connect ENDPOINT or set NEXTFS_CONNECT",
    );
  }
  await using client = await dial(chosen);
  const reporter = new Reporter(command);
  const output = new Output();
  const files = new RemoteFiles(client);
  await action({ files, reporter, output, endpoint: chosen });
  output.flush();
  reporter.finish();
}

async function dial(endpoint: string): ReturnType<typeof connect> {
  try {
    return await connect(endpoint);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "ENOENT" && code !== "ECONNREFUSED") throw error;
    throw new Error(
      `Cannot connect to ${endpoint}: no server listens there ` +
        "(start one with 'nextfs serve IMAGE')",
      { cause: error },
    );
  }
}
