/**
 * Where a server listens: `unix:PATH`, `unix:@ABSTRACT`, `tcp:HOST:PORT` or
 * `tls:HOST:PORT`.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";

/** A UNIX socket. */
export interface UnixEndpoint {
  /** Which kind of endpoint this is. */
  readonly kind: "unix";
  /** A path, or a name in Linux's abstract namespace. */
  readonly path: string;
  /** True for a name in the abstract namespace (unix(7)). */
  readonly abstract: boolean;
}

/** A TCP port. */
export interface TcpEndpoint {
  /** Which kind of endpoint this is: `tls` if what it carries is encrypted. */
  readonly kind: "tcp" | "tls";
  /** A host name or an address; an IPv6 address without its brackets. */
  readonly host: string;
  /** 1 to 65535, or 0 to let the system choose one when listening. */
  readonly port: number;
}

/** Where a server listens. */
export type Endpoint = UnixEndpoint | TcpEndpoint;

/**
 * The longest path of a UNIX socket, in bytes: `sun_path` of Linux has 108,
 * one of which is a NUL before an abstract name or behind a path.
 */
const UNIX_PATH_MAX = 107;

const HOST_AND_PORT = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^:[\]]+)):(\d{1,5})$/;

/** Parses an endpoint. Throws {@link FsError} `EINVAL`. */
export function parseEndpoint(text: string): Endpoint {
  if (text.startsWith("unix:")) return parseUnix(text, text.slice(5));
  for (const kind of ["tcp", "tls"] as const) {
    if (text.startsWith(`${kind}:`)) return parseTcp(text, kind);
  }
  throw refused(
    text,
    "expected unix:PATH, unix:@NAME, tcp:HOST:PORT or tls:HOST:PORT",
  );
}

/** The text that {@link parseEndpoint} reads. */
export function formatEndpoint(endpoint: Endpoint): string {
  if (endpoint.kind === "unix") {
    return `unix:${endpoint.abstract ? "@" : ""}${endpoint.path}`;
  }
  const { kind, host, port } = endpoint;
  return `${kind}:${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** True if only programs on the same machine can reach the endpoint. */
export function isLocal(endpoint: Endpoint): boolean {
  if (endpoint.kind === "unix") return true;
  const host = endpoint.host.toLowerCase();
  return host === "localhost" || host === "::1" ||
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function parseUnix(text: string, rest: string): Endpoint {
  const abstract = rest.startsWith("@");
  const path = abstract ? rest.slice(1) : rest;
  if (path === "") throw refused(text, "the path is empty");
  if (path.includes("\0")) throw refused(text, "the path holds a NUL");
  if (new TextEncoder().encode(path).length > UNIX_PATH_MAX) {
    throw refused(text, `the path is longer than ${UNIX_PATH_MAX} bytes`);
  }
  return { kind: "unix", path, abstract };
}

function parseTcp(text: string, kind: TcpEndpoint["kind"]): Endpoint {
  const match = HOST_AND_PORT.exec(text.slice(kind.length + 1));
  if (!match) {
    throw refused(
      text,
      `expected ${kind}:HOST:PORT, IPv6 addresses in brackets`,
    );
  }
  const port = Number(match[3]);
  if (port > 65535) throw refused(text, "the port is above 65535");
  return { kind, host: match[1] ?? match[2], port };
}

function refused(text: string, why: string): FsError {
  return new FsError("EINVAL", `cannot use the endpoint "${text}": ${why}`);
}
