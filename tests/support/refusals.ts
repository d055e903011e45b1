/**
 * Refusals of volumes: each in one clear line, and counted by its reason.
 *
 * @module
 */

import assert from "node:assert/strict";
import { VolumeIntegrityError, WrongKeyError } from "../../bd/volume/mod.ts";

/** How often a change was refused, and why. */
export class Refusals {
  readonly #counts: Map<string, number> = new Map();

  /** Asserts that `error` is a refusal in one clear line, and counts it. */
  note(error: unknown, what: string): true {
    assert.ok(
      error instanceof VolumeIntegrityError || error instanceof WrongKeyError,
      `${what}: ${error}`,
    );
    const reason = /^Cannot open [^\n:]*: ([ -~]{8,200})$/.exec(error.message);
    assert.ok(reason, `${what}: ${error.message}`);
    const kind = error instanceof WrongKeyError
      ? "wrong key (12)"
      : /not authentic/.test(reason[1])
      ? "not authentic (13)"
      : /newer nextfs/.test(reason[1])
      ? "a newer format (13)"
      : "of another form (13)";
    // What nobody has signed does not get as far as the anchor.
    assert.doesNotMatch(reason[1], /old copy/, what);
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    return true;
  }

  /** Prints the counts. */
  print(title: string): void {
    const counts = [...this.#counts].map(([kind, count]) => `${count} ${kind}`);
    console.log(`${title}: ${counts.join(", ")}`);
  }
}
