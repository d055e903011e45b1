/**
 * Times as commands print and read them.
 *
 * @module
 */

import type { Timestamp } from "../fs/attributes.ts";

const HALF_YEAR_SECONDS = 365.2425 / 2 * 86400;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

function two(number: number): string {
  return String(number).padStart(2, "0");
}

/** As `ls -l` writes it: with the time of day if it is recent. */
export function listTime(time: Timestamp, nowMs: number): string {
  const date = new Date(time.sec * 1000);
  const day = `${MONTHS[date.getMonth()]} ${
    String(date.getDate()).padStart(2)
  }`;
  const age = nowMs / 1000 - time.sec;
  return age >= 0 && age < HALF_YEAR_SECONDS
    ? `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
    : `${day}  ${date.getFullYear()}`;
}

/** As stat(1) writes it, to the nanosecond, in local time. */
export function fullTime(time: Timestamp): string {
  const date = new Date(time.sec * 1000);
  const offset = -date.getTimezoneOffset();
  const zone = Math.abs(offset);
  const day = [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()];
  return `${day.map(two).join("-")} ${clock.map(two).join(":")}` +
    `.${String(time.nsec).padStart(9, "0")} ` +
    `${offset < 0 ? "-" : "+"}${two(Math.floor(zone / 60))}${two(zone % 60)}`;
}

/** ISO 8601 in UTC, to the nanosecond. */
export function isoTime({ sec, nsec }: Timestamp): string {
  const text = new Date(sec * 1000).toISOString().slice(0, -5);
  return `${text}.${String(nsec).padStart(9, "0")}Z`;
}

const TIME =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d{1,9}))?)?\s*(Z|[-+]\d\d:?\d\d)?$/;

/**
 * Reads a time: `@SECONDS[.FRACTION]`, or ISO 8601 (`2026-02-01`,
 * `2026-02-01 12:30:00.5`, local unless a zone follows). Throws `RangeError`.
 */
export function parseTime(text: string): Timestamp {
  const epoch = /^@(-?\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
  if (epoch) return withFraction(Number(epoch[1]), epoch[2]);
  const match = TIME.exec(text);
  if (match) {
    const [, day, clock = "00:00", fraction, zone = ""] = match;
    const ms = Date.parse(`${day}T${clock}${zone}`);
    if (!Number.isNaN(ms) && isDay(day)) {
      return withFraction(Math.floor(ms / 1000), fraction);
    }
  }
  throw new RangeError(
    `'${text}' is not a time such as '2026-02-01 12:30:00' or @1770000000`,
  );
}

/** False for a day such as February 30, which `Date` takes for March 2. */
function isDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

function withFraction(sec: number, fraction = ""): Timestamp {
  return { sec, nsec: Number(fraction.padEnd(9, "0")) };
}
