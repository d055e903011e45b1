/**
 * The error of an endpoint that cannot be used, in words for people.
 *
 * @module
 */

import { type Endpoint, formatEndpoint } from "./endpoint.ts";

/** The system refused to listen at an endpoint, or to connect to it. */
export class EndpointError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "EndpointError";
  /**
   * The system's errno name, such as `"ENOENT"`; `"ENOTFOUND"` for a host
   * whose name stands for no address.
   */
  readonly code: string;

  /** Makes an error of `code`; the message names the action first. */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What was to be done with an endpoint. */
type Action = "listen at" | "connect to";

/** What went wrong and what to do, by errno name, for either action. */
const ADVICE: Readonly<Record<Action, Readonly<Record<string, string>>>> = {
  "listen at": {
    ENOENT: "the directory of the socket does not exist; make it first",
    ENOTDIR: "a part of the path is not a directory; choose another path",
    EACCES: "permission denied; choose a directory you may write to, or a " +
      "port from 1024 up",
    EROFS: "the file system there is read-only; choose another path",
    EADDRNOTAVAIL: "this machine does not have that address; use one that " +
      "it has, such as 127.0.0.1",
    ENOTFOUND: "the host is not known; check its name, or give an address",
  },
  "connect to": {
    ENOENT: "there is no socket; start a server there, or check the path",
    ENOTDIR: "a part of the path is not a directory; check the path",
    EACCES: "permission denied; connect as the user who runs the server",
    ECONNREFUSED: "no server listens there; start one, or check the endpoint",
    EHOSTUNREACH: "the machine cannot be reached; check its address",
    ENETUNREACH: "the network cannot be reached; check the address",
    ETIMEDOUT: "the machine does not answer; check its address",
    ENOTFOUND: "the host is not known; check its name, or give an address",
  },
};

/** Says in words what the system refused; other errors stay as they are. */
export function endpointError(
  action: Action,
  endpoint: Endpoint,
  error: unknown,
): unknown {
  const code = codeOf(error);
  if (!(error instanceof Error) || code === undefined) return error;
  const advice = ADVICE[action][code] ?? `${error.message}; choose another`;
  return new EndpointError(
    code,
    `Cannot ${action} ${formatEndpoint(endpoint)}: ${advice}`,
    { cause: error },
  );
}

/** The errno name of a runtime's error; undefined if it has none. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  // The runtime's errors of getaddrinfo(3) have a text and no code.
  if (error.message.startsWith("failed to lookup address")) return "ENOTFOUND";
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}
