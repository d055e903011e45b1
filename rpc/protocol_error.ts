/**
 * The error of a peer that breaks the protocol.
 *
 * @module
 */

/**
 * A message that breaks the rules of the wire. What follows it on the
 * connection cannot be trusted, so the connection ends.
 */
export class ProtocolError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "ProtocolError";
  /** The errno name that goes with every error of this kind. */
  readonly code = "EPROTO";
}
