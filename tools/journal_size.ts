/**
 * The size of a journal, as flags take it.
 *
 * @module
 */

import {
  JOURNAL_BYTES_MAX,
  JOURNAL_BYTES_MIN,
  JOURNAL_BYTES_UNIT,
} from "../bd/volume/mod.ts";
import { parseSize } from "./sizes.ts";

/** Reads the size of a journal, in bytes. Throws `RangeError`. */
export function journalSize(value: string): number {
  const bytes = parseSize(value);
  const isOne = bytes >= JOURNAL_BYTES_MIN && bytes <= JOURNAL_BYTES_MAX &&
    bytes % JOURNAL_BYTES_UNIT === 0;
  if (isOne) return bytes;
  throw new RangeError(
    `'${value}' is not the size of a journal: a multiple of 4K from 1M to 1G`,
  );
}
