/**
 * Volumes as a reader in Python sees them, which was written from
 * docs/formats.md and shares nothing with the code.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Outcome, run } from "./tools.ts";

/** What the reader found in a volume; bytes are hexadecimal digits. */
export interface Reading {
  /** Kind of the device. */
  readonly device: string;
  /** SHA-256 of all plaintext. */
  readonly plaintext: string;
  /** Number of the key slot that was opened. */
  readonly slot?: number;
  /** What the secret became. */
  readonly kek?: string;
  /** The master key. */
  readonly masterKey?: string;
  /** The keys derived from it. */
  readonly keys?: Readonly<Record<string, string>>;
  /** The descriptor's MAC. */
  readonly mac?: string;
  /** The fields of the present state. */
  readonly state?: Readonly<Record<string, string | number>>;
  /** Number of records in the journal that were recovered. */
  readonly records?: number;
  /** Number of leaves in use. */
  readonly leaves?: number;
  /** The nodes from the leaf that was asked for up to the root. */
  readonly path?: readonly {
    readonly node: number;
    readonly page: number;
    readonly slot: number;
    readonly value: string;
    readonly sibling: string;
  }[];
}

/** What the reader is to do. */
export interface ReaderOptions {
  /** Path of a key file. */
  readonly keyfile?: string;
  /** Path of a file with a passphrase. */
  readonly passfile?: string;
  /** Path of an anchor that is apart. */
  readonly anchor?: string;
  /** The block whose path is wanted. */
  readonly leaf?: number;
}

const SCRIPT = new URL("./volume_reader.py", import.meta.url).pathname;

/** Runs the reader; it exits with 1 and one line if it refuses the volume. */
export function tryReading(
  volume: string,
  options: ReaderOptions,
): Promise<Outcome> {
  const flags = Object.entries(options).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, String(value)]
  );
  return run("python3", "-B", SCRIPT, ...flags, volume);
}

/** What the reader finds in a volume that it must accept. */
export async function readVolume(
  volume: string,
  options: ReaderOptions = {},
): Promise<Reading> {
  const { code, stdout, stderr } = await tryReading(volume, options);
  assert.equal(code, 0, `${volume}: ${stderr}`);
  return JSON.parse(stdout);
}
