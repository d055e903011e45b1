/**
 * What the client commands share: finding the server, and the connection.
 *
 * @module
 */

import { connect, RemoteFiles } from "../rpc/mod.ts";
import { endpoint, type Flag, option } from "./cli.ts";
import { errnoOf, errorText, Reporter, UsageError } from "./errors.ts";
import { Output } from "./output.ts";

/** The flags of every client command. */
export const CONNECT: { connect: Flag<string | undefined> } = {
  connect: option(
    "ENDPOINT",
    "Server: unix:PATH or tcp:HOST:PORT (default: $NEXTFS_CONNECT)",
    endpoint,
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
  given: string | undefined,
  action: (session: Session) => Promise<void>,
): Promise<void> {
  const chosen = given ?? fromEnvironment();
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

function fromEnvironment(): string | undefined {
  const value = Deno.env.get("NEXTFS_CONNECT");
  try {
    return value && endpoint(value);
  } catch (error) {
    throw new UsageError(`NEXTFS_CONNECT: ${errorText(error)}`);
  }
}

async function dial(where: string): ReturnType<typeof connect> {
  try {
    return await connect(where);
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "ENOENT" && code !== "ECONNREFUSED") throw error;
    const reason = "no server listens there " +
      "(start one with 'nextfs serve IMAGE')";
    throw new Error(`Cannot connect to ${where}: ${reason}`, { cause: error });
  }
}
