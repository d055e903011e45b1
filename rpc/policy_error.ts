/**
 * What is wrong with a policy, and where.
 *
 * @module
 */

/** The longest text of a policy, in bytes. */
export const POLICY_MAX = 1 << 20;

/** A policy cannot be used; the message says where in it, and why. */
export class PolicyError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "PolicyError";
  /**
   * Where it is wrong: `FILE:LINE:COLUMN` for a text, both from 1 and the
   * column in characters, and for an object as in `policy.rules[0].match`.
   */
  readonly place: string;
  /** What is wrong there. */
  readonly reason: string;

  /** Makes an error of `reason` at `place`. */
  constructor(place: string, reason: string) {
    super(`${place}: ${reason}`);
    this.place = place;
    this.reason = reason;
  }
}
