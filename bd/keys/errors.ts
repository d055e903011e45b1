/**
 * What can be wrong with a secret.
 *
 * @module
 */

/** A passphrase, password or key file is not the one that is needed. */
export class WrongKeyError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "WrongKeyError";
}
