/**
 * The error of calls whose connection has ended.
 *
 * @module
 */

/**
 * The connection ended before the reply came. Whether the operation was
 * carried out is not known.
 */
export class DisconnectedError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "DisconnectedError";
  /** The errno name of a connection that was reset. */
  readonly code = "ECONNRESET";
}
