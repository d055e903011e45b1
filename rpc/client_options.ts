/**
 * Options of a connection and of calls on it.
 *
 * @module
 */

/** What a connection asks the server for. */
export interface ClientOptions {
  /** Most requests in flight; 64 if absent, bounded by the server's limit. */
  maxInFlight?: number;
  /** Longest reply frame in bytes; 1 MiB + 4 KiB if absent. */
  maxFrame?: number;
}

/** How a call ends early. */
export interface CallOptions<R = unknown> {
  /**
   * Ends the call: it is rejected with the signal's reason at once. If its turn
   * has not come it is not sent; else the server is asked to leave it, and it
   * may have been carried out or not.
   */
  signal?: AbortSignal;
  /**
   * Takes the results if they come after the signal has fired: what they hold,
   * such as a descriptor, is to be given back.
   */
  undo?: (results: R) => void;
}
