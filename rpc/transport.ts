/**
 * Byte streams between client and server, and where they come from.
 *
 * What lies above knows streams only by these two interfaces, so that other
 * sockets, other runtimes and encryption need no change there.
 *
 * @module
 */

import type { Endpoint } from "./endpoint.ts";
import type { Peer } from "./peer.ts";

/** A stream of bytes in both directions. */
export interface Transport {
  /** What is known of who is at the other end. */
  readonly peer: Peer;
  /** Reads what has arrived, at least one byte; null at the stream's end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes all of `from`, which must not change until then. */
  write(from: Uint8Array): Promise<void>;
  /** Ends the stream; a read or write that is waiting fails. */
  close(): void;
}

/** A place where streams arrive. */
export interface TransportListener {
  /** Where it listens: with the port that the system has chosen. */
  readonly endpoint: Endpoint;
  /** The next stream; null when the listener is closed. */
  accept(): Promise<Transport | null>;
  /** Stops listening, and removes a socket's file. */
  close(): void;
}
