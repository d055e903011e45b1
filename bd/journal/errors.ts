/**
 * What is wrong with a volume as a whole, as against one of its blocks.
 *
 * @module
 */

/**
 * The volume is authentic, and not the present one: it was put back to an
 * earlier state, or is a copy that somebody else went on with.
 */
export class RollbackError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "RollbackError";
  /** True if it may be taken as it is, by its generation. */
  readonly isAcceptable: boolean;

  /** Makes the error; it may not be taken unless that is said. */
  constructor(
    message: string,
    { isAcceptable = false }: { isAcceptable?: boolean } = {},
  ) {
    super(message);
    this.isAcceptable = isAcceptable;
  }
}
