/**
 * The server: listeners, connections, and their end.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import type { Filesystem } from "../fs/mod.ts";
import { Company } from "./_company.ts";
import { Admission } from "./admission.ts";
import { ForkedTables } from "./forked_tables.ts";
import { LockTable } from "./locks.ts";
import { Connection } from "./connection.ts";
import {
  type Endpoint,
  formatEndpoint,
  isLocal,
  parseEndpoint,
} from "./endpoint.ts";
import { type Failure, failureOf, writeFailure } from "./failure.ts";
import { FrameWriter, PREFIX_SIZE } from "./frame_writer.ts";
import { LargeBufferPool } from "./large_buffers.ts";
import {
  FRAME_LEAST,
  FRAME_MAX,
  IN_FLIGHT_MAX,
  SMALL_REPLY,
} from "./limits.ts";
import { listen } from "./listen.ts";
import type { Policy } from "./policy.ts";
import { Session } from "./session.ts";
import type { TlsOptions } from "./tls_options.ts";
import type { Transport, TransportListener } from "./transport.ts";

/** The bounds of a server, and what it tells whom. */
export interface ServerOptions {
  /** Most connections at a time; 1024 if absent. */
  maxConnections?: number;
  /** Longest frame in bytes; 1 MiB + 4 KiB if absent, and at most. */
  maxFrame?: number;
  /** Most requests in flight on one connection; 256 if absent. */
  maxInFlight?: number;
  /** Most open files of one connection; 1024 if absent. */
  maxDescriptors?: number;
  /** Most locks of one connection, with those it waits for; 1024 if absent. */
  maxLocks?: number;
  /** Most forked tables of a connection that nobody has claimed; 16. */
  maxTables?: number;
  /** Milliseconds in which a forked table must be claimed; 30,000. */
  tableLifetime?: number;
  /**
   * Milliseconds without a request, or anything that is being done, after
   * which a connection is ended; 600,000.
   */
  idleTimeout?: number;
  /** Most connections that send or receive long frames at a time; 32. */
  maxLargeBuffers?: number;
  /**
   * Milliseconds until a connection must have said hello, and for the
   * handshake of TLS before that; 10,000.
   */
  helloTimeout?: number;
  /** Most handshakes of TLS at a time, at each endpoint; 512. */
  maxHandshakes?: number;
  /** Milliseconds for a frame to arrive, or a batch to be taken; 60,000. */
  stallTimeout?: number;
  /**
   * Milliseconds in which a long frame must make progress, by 256 KiB or to
   * its end, while other connections wait to send or receive one; 5,000.
   */
  contendedTimeout?: number;
  /** Milliseconds that {@link Server.stop} waits for clients; 5,000. */
  stopTimeout?: number;
  /** Makes `tls:` possible, and `unix:` TLS too. */
  tls?: TlsOptions;
  /** Who may do what; if absent, whoever connects is the superuser. */
  policy?: Policy;
  /** Listen at `tcp:` also where other machines can connect. */
  insecure?: boolean;
  /** Takes a line on what no client can be told; nowhere if absent. */
  log?: (message: string) => void;
  /** Log the beginning and the end of every connection, too. */
  verbose?: boolean;
}

/** Options with their defaults. */
type Settings =
  & Required<Omit<ServerOptions, "tls" | "policy">>
  & Pick<ServerOptions, "tls" | "policy">;

/** Most forked tables of all connections that nobody has claimed. */
const TABLES_MAX = 1024;

/** How often stalled connections are looked for, in milliseconds. */
const SWEEP_INTERVAL = 250;

/** How long to wait after an accept that failed, in milliseconds. */
const ACCEPT_PAUSE = 100;

/**
 * Serves one volume on any number of endpoints.
 *
 * Memory is bounded by `maxConnections` times a connection's own buffers
 * (144 KiB) plus `maxLargeBuffers` times two frames. To each connection TLS
 * adds at most 384 KiB: what is read, decrypted and encrypted ahead.
 *
 * @example
 * ```ts
 * const server = new Server(fs);
 * await server.listen("unix:/run/nextfs.sock");
 * // … until a signal comes:
 * await server.stop();
 * await fs.close();
 * ```
 */
export class Server {
  readonly #fs: Filesystem;
  readonly #options: Settings;
  readonly #locks: LockTable;
  readonly #tables: ForkedTables;
  readonly #admission: Admission;
  readonly #company = new Company();
  readonly #largeBuffers: LargeBufferPool;
  readonly #replyBuffers: Uint8Array[] = [];
  readonly #listeners = new Map<TransportListener, Promise<void>>();
  readonly #connections = new Map<Connection, Promise<void>>();
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #stopping = false;
  #accepted = 0;

  /** Serves `fs`, which stays the caller's to close after {@link stop}. */
  constructor(fs: Filesystem, options: ServerOptions = {}) {
    this.#fs = fs;
    this.#options = withDefaults(options);
    this.#locks = new LockTable(this.#options.maxLocks);
    this.#tables = new ForkedTables(fs, {
      lifetime: this.#options.tableLifetime,
      limit: TABLES_MAX,
    });
    this.#admission = new Admission(fs, {
      policy: options.policy,
      allowance: this.#options,
    });
    this.#largeBuffers = new LargeBufferPool(
      this.#options.maxLargeBuffers,
      this.#options.maxFrame + PREFIX_SIZE,
    );
  }

  /** Number of connections at the moment. */
  get connections(): number {
    return this.#connections.size;
  }

  /**
   * Starts serving at `endpoint` and resolves with where that is: with the
   * port that the system chose for port 0. Rejects if another server listens
   * there, if `tls:` lacks the option `tls`, and for `tcp:` without `insecure`
   * if other machines could connect or if the server has the option `tls`.
   */
  async listen(endpoint: string | Endpoint): Promise<Endpoint> {
    const where = typeof endpoint === "string"
      ? parseEndpoint(endpoint)
      : endpoint;
    const { insecure, tls, helloTimeout, maxHandshakes, log } = this.#options;
    const isPlain = where.kind === "tcp" && insecure;
    if (where.kind === "tcp" && !isLocal(where) && !insecure) {
      throw new FsError(
        "EPERM",
        `cannot listen at ${formatEndpoint(where)}: other machines could ` +
          "connect, and nothing is encrypted; use tls:HOST:PORT, 127.0.0.1 " +
          "or a UNIX socket, or allow it as insecure",
      );
    }
    const listener = await listen(
      where,
      tls && !isPlain
        ? { ...tls, handshakeTimeout: helloTimeout, maxHandshakes, log }
        : undefined,
    );
    if (this.#stopping) {
      listener.close();
      throw new FsError("ECANCELED", "the server is stopping");
    }
    this.#sweeper ??= setInterval(() => this.#sweep(), SWEEP_INTERVAL);
    this.#listeners.set(listener, this.#accept(listener));
    return listener.endpoint;
  }

  /**
   * Stops listening, lets the batches in progress end, and ends every
   * connection: after `stopTimeout` those too whose clients do not read.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const listener of this.#listeners.keys()) listener.close();
    await Promise.all(this.#listeners.values());
    const reason = new FsError("ESHUTDOWN", "the server is stopping");
    for (const connection of this.#connections.keys()) connection.end(reason);
    const ended = Promise.all(this.#connections.values());
    const timer = setTimeout(() => {
      for (const connection of this.#connections.keys()) connection.close();
    }, this.#options.stopTimeout);
    await ended;
    this.#company.end();
    clearTimeout(timer);
    clearInterval(this.#sweeper);
    this.#tables.clear();
  }

  async #accept(listener: TransportListener): Promise<void> {
    while (!this.#stopping) {
      try {
        const transport = await listener.accept();
        if (transport === null) break;
        this.#serve(transport, listener.endpoint);
      } catch (error) {
        this.#options.log(`Cannot accept a connection: ${reasonOf(error)}`);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE));
      }
    }
    listener.close();
    this.#listeners.delete(listener);
  }

  #serve(transport: Transport, endpoint: Endpoint): void {
    if (this.#stopping) return transport.close();
    const name = `connection ${++this.#accepted} at ${
      formatEndpoint(endpoint)
    }`;
    const session = this.#admit(transport, name);
    if (session === null) return;
    const connection = new Connection(transport, session, {
      largeBuffers: this.#largeBuffers,
      replyBuffers: this.#replyBuffers,
      helloTimeout: this.#options.helloTimeout,
      stallTimeout: this.#options.stallTimeout,
      contendedTimeout: this.#options.contendedTimeout,
      idleTimeout: this.#options.idleTimeout,
      company: this.#company,
      maxLate: this.#options.maxInFlight,
    });
    if (this.#options.verbose) this.#options.log(`Began ${name}`);
    const ended = connection.run().finally(() => {
      this.#connections.delete(connection);
      this.#admission.leave(session.options);
      if (this.#options.verbose) this.#options.log(`Ended ${name}`);
    });
    this.#connections.set(connection, ended);
  }

  /** The session of whoever is at the other end; null if he is refused. */
  #admit(transport: Transport, name: string): Session | null {
    const { maxFrame, idleTimeout, log } = this.#options;
    try {
      if (this.#connections.size >= this.#options.maxConnections) {
        throw new FsError("EAGAIN", "the server has too many connections");
      }
      const entitlement = this.#admission.admit(transport.peer);
      return new Session(this.#fs, {
        ...entitlement,
        fingerprint: transport.peer.certificate?.fingerprint ?? "",
        maxFrame,
        idleTimeout,
        locks: this.#locks,
        tables: this.#tables,
        log,
      });
    } catch (error) {
      const rule = this.#admission.ruleFor(transport.peer);
      log(`Refused ${name}: ${reasonOf(error)}${rule}`);
      refuse(transport, failureOf(error, () => {}));
      return null;
    }
  }

  #sweep(): void {
    const now = performance.now();
    this.#tables.sweep(now);
    for (const connection of this.#connections.keys()) {
      connection.closeIfStalled(now);
    }
  }
}

function withDefaults(options: ServerOptions): Settings {
  const { maxFrame = FRAME_MAX, maxInFlight = 256 } = options;
  return {
    maxConnections: options.maxConnections ?? 1024,
    maxFrame: Math.max(FRAME_LEAST, Math.min(maxFrame, FRAME_MAX)),
    maxInFlight: Math.max(1, Math.min(maxInFlight, IN_FLIGHT_MAX)),
    maxDescriptors: options.maxDescriptors ?? 1024,
    maxLocks: options.maxLocks ?? 1024,
    maxTables: options.maxTables ?? 16,
    tableLifetime: options.tableLifetime ?? 30_000,
    idleTimeout: options.idleTimeout ?? 600_000,
    maxLargeBuffers: Math.max(1, options.maxLargeBuffers ?? 32),
    helloTimeout: options.helloTimeout ?? 10_000,
    maxHandshakes: Math.max(1, options.maxHandshakes ?? 512),
    stallTimeout: options.stallTimeout ?? 60_000,
    contendedTimeout: options.contendedTimeout ?? 5_000,
    stopTimeout: options.stopTimeout ?? 5_000,
    tls: options.tls,
    policy: options.policy,
    insecure: options.insecure ?? false,
    verbose: options.verbose ?? false,
    log: options.log ?? ((): void => {}),
  };
}

/** Bytes of a hello, and time for one, that a refused client may take. */
const REFUSED_BYTES = 1024;
const REFUSED_TIME = 1_000;

/** Tells a client why it is not served. */
async function refuse(transport: Transport, why: Failure): Promise<void> {
  const timer = setTimeout(() => transport.close(), REFUSED_TIME);
  try {
    const writer = new FrameWriter(new Uint8Array(SMALL_REPLY));
    writeFailure(writer, 0, why);
    await transport.write(writer.buffer.subarray(0, writer.length));
    // To close while it says hello would reset the connection, and it would
    // not read this.
    await transport.read(new Uint8Array(REFUSED_BYTES));
  } catch {
    // It has gone already.
  } finally {
    clearTimeout(timer);
    transport.close();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
