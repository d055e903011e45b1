/**
 * What the client commands share: finding the server, and the connection.
 *
 * @module
 */

import { connect, RemoteFiles, type TlsOptions } from "../rpc/mod.ts";
import { endpoint, type Flag, option, type Values } from "./cli.ts";
import { errnoOf, errorText, Reporter, UsageError } from "./errors.ts";
import { Output } from "./output.ts";
import { readClientTls, TLS_CLIENT_FLAGS } from "./tls.ts";

/** The flags of every client command. */
export const CONNECT:
  & { connect: Flag<string | undefined> }
  & typeof TLS_CLIENT_FLAGS = {
    connect: option(
      "ENDPOINT",
      "Server: unix:PATH, tls:HOST:PORT or tcp:HOST:PORT " +
        "(default: $NEXTFS_CONNECT)",
      endpoint,
    ),
    ...TLS_CLIENT_FLAGS,
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
  flags: Values<typeof CONNECT>,
  action: (session: Session) => Promise<void>,
): Promise<void> {
  const chosen = flags.connect ?? fromEnvironment();
  if (!chosen) {
    throw new UsageError(
      "Which server? Give --connect ENDPOINT or set NEXTFS_CONNECT",
    );
  }
  await using client = await dial(chosen, readClientTls(flags));
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

async function dial(
  where: string,
  tls: TlsOptions | undefined,
): ReturnType<typeof connect> {
  try {
    return await connect(where, { tls });
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "ENOENT" && code !== "ECONNREFUSED") throw error;
    const reason = "no server listens there " +
      "(start one with 'nextfs serve IMAGE')";
    throw new Error(`Cannot connect to ${where}: ${reason}`, { cause: error });
  }
}
