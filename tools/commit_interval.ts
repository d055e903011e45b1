/**
 * Commits at intervals: what nobody asked to be durable is so after a while.
 *
 * @module
 */

import type { Filesystem } from "../fs/mod.ts";
import { errnoOf, errorText } from "./errors.ts";

/** The shortest interval, in seconds. */
const INTERVAL_MIN = 0.05;
/** The longest interval, in seconds. */
const INTERVAL_MAX = 3600;

/** Reads a number of seconds; throws `RangeError` for any other text. */
export function commitInterval(value: string): number {
  const seconds = /^(\d+\.?\d*|\.\d+)$/.test(value) ? Number(value) : NaN;
  if (seconds >= INTERVAL_MIN && seconds <= INTERVAL_MAX) return seconds;
  throw new RangeError(
    `'${value}' is not a number of seconds from ${INTERVAL_MIN} to ` +
      `${INTERVAL_MAX}`,
  );
}

/** How often, how long, and who is told. */
export interface CommitOptions {
  /** Seconds from the end of one commit to the next. */
  interval: number;
  /** Ends it when it resolves. */
  ended: Promise<void>;
  /** Takes a line when commits begin to fail, or succeed again. */
  log: (message: string) => void;
}

/**
 * Makes changes durable at intervals, until `ended`. A commit that fails is
 * tried again at the next one: what it was to store is still there. A failure
 * is told once, until it is another one.
 */
export async function commitAtIntervals(
  filesystem: Filesystem,
  { interval, ended, log }: CommitOptions,
): Promise<void> {
  // What is read-only from the start has nothing to commit. It may become so
  // later, by a commit that fails, and then another one is its way out.
  if (filesystem.readOnly) return await ended;
  let isEnded = false;
  let endPause = (): void => {};
  // A race with it would leave something behind in it at each interval.
  const end = ended.then(() => {
    isEnded = true;
    endPause();
  });
  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, interval * 1000);
      endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  let failure = "";
  while (!isEnded) {
    await pause();
    if (isEnded) break;
    try {
      await filesystem.sync();
      if (failure) log("Changes are durable again: the host stores them");
      failure = "";
    } catch (error) {
      // The same failure may be told of another block each time.
      const reason = errorText(error);
      const kind = errnoOf(error) ?? reason;
      if (kind !== failure) log(`Cannot make changes durable: ${reason}`);
      failure = kind;
    }
  }
  await end;
}
