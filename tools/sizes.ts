/**
 * Sizes as people write them: `4096`, `128M`, `1.5G`.
 *
 * @module
 */

const UNITS = ["", "K", "M", "G", "T", "P"] as const;
const PATTERN = /^(\d+(?:\.\d+)?)([KMGTP]?)(?:i?B)?$/i;

/**
 * Parses a size in bytes. Units are powers of 1024 (`K`, `M`, `G`, `T`, `P`,
 * with an optional `iB` or `B`). Throws `RangeError` for anything else, and
 * for what is not a whole number of bytes below 2^53.
 */
export function parseSize(text: string): number {
  const match = PATTERN.exec(text);
  const unit = UNITS.findIndex((name) => name === match?.[2].toUpperCase());
  const size = match ? Number(match[1]) * 1024 ** unit : NaN;
  if (!Number.isSafeInteger(size)) {
    throw new RangeError(`'${text}' is not a size such as 4096, 64M or 1.5G`);
  }
  return size;
}

/** A size in at most four characters, rounded up as `ls -h` does: `1.5G`. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return String(bytes);
  const tenths = Math.ceil(value * 10) / 10;
  if (tenths < 10) return tenths.toFixed(1) + UNITS[unit];
  const whole = Math.ceil(value);
  return whole === 1024 && unit < UNITS.length - 1
    ? `1.0${UNITS[unit + 1]}`
    : whole + UNITS[unit];
}
