/**
 * What the load generators are asked for, and what they answer.
 *
 * @module
 */

/** The paths of what TLS needs, at the client. */
export interface JobTls {
  ca: string;
  cert: string;
  key: string;
}

/** What every job says. */
interface JobBase {
  /** Where the server is. */
  endpoint: string;
  /** The server's process, whose processor time is taken. */
  pid: number;
  /** Connect by TLS. */
  tls?: JobTls;
  /** Requests in flight. */
  window: number;
  /** Most requests that are made. */
  count?: number;
  /** Most milliseconds that it may take. */
  ms?: number;
  /** Milliseconds of the same before anything is measured; none if absent. */
  warmUpMs?: number;
}

/** What is to be measured. */
export interface Job extends JobBase {
  /**
   * What is asked for: of the yardstick, as many bytes as the reply to a read
   * has; bytes of a file; or a file that is made, closed and removed, by three
   * requests or by one that is a compound of three.
   */
  kind: "echo" | "read" | "write" | "names" | "compound";
  /** The name of the file, in the root. */
  file: string;
  /** Bytes of a request's data. */
  length: number;
  /** Blocks of `length` in the file. */
  blocks: number;
  /**
   * Each of them once, in this order; if absent, again and again all over the
   * file.
   */
  order?: "forward" | "random";
  /** Use the project's own client in place of bytes that were made before. */
  client?: boolean;
}

/** A job for `rpc_load.py`. */
export interface LeanJob extends JobBase {
  /** A file with the requests, one after the other. */
  requests: string;
  /** Where each of them ends in it. */
  ends: readonly number[];
  /** How many of them are made once, before the others. */
  before: number;
  /** Bytes of every reply, if all have the same. */
  replySize?: number;
}

/** What a job has taken. */
export interface JobResult {
  /** Requests that were answered. */
  count: number;
  /** Milliseconds. */
  ms: number;
  /** Milliseconds of processor time of the server. */
  serverMs: number;
  /** The same of the load generator. */
  clientMs: number;
}
