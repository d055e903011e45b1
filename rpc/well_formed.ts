/**
 * The check that a frame is CBOR of the wire's subset, before it is decoded.
 *
 * Allowed are integers within ±(2^53 − 1), byte strings, text strings in
 * UTF-8, arrays, false, true and null: of definite length, in their shortest
 * form (RFC 8949, section 4.2.1), and nothing behind the one item. The decoder
 * that runs afterwards therefore never allocates more than the frame holds.
 *
 * @module
 */

import {
  FALSE,
  MAJOR_ARRAY,
  MAJOR_BYTES,
  MAJOR_NEGATIVE,
  MAJOR_SIMPLE,
  MAJOR_TEXT,
  MAJOR_UINT,
  NULL,
} from "./frame_writer.ts";
import { ProtocolError } from "./protocol_error.ts";

/** The most arrays within one another, the message itself among them. */
export const DEPTH_MAX = 8;

/** The longest text string, in bytes. */
export const TEXT_MAX = 1024;

/** What an argument of 1, 2, 4 or 8 bytes must at least be. */
const SHORTEST = [24, 0x100, 0x10000, 0x100000000];

/** Items left in the arrays around the one at hand; used by one call only. */
const outer = new Uint32Array(DEPTH_MAX);

const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Throws {@link ProtocolError} unless `frame` is exactly one well-formed item
 * of the wire's subset, with at most `itemsMax` items in it.
 */
export function checkWellFormed(frame: Uint8Array, itemsMax: number): void {
  const end = frame.length;
  let at = 0;
  let items = 0;
  let depth = 0;
  let left = 1;
  for (;;) {
    while (left === 0) {
      if (depth === 0) {
        if (at !== end) throw malformed("bytes follow the message");
        return;
      }
      left = outer[--depth];
    }
    left--;
    if (at >= end) throw malformed("it ends too early");
    if (++items > itemsMax) throw malformed(`more than ${itemsMax} items`);
    const initial = frame[at++];
    const major = initial >> 5;
    if (major === MAJOR_SIMPLE) {
      if (initial >= FALSE && initial <= NULL) continue;
      throw malformed("a float or an unknown simple value");
    }
    let value = initial & 31;
    if (value >= 24) {
      const form = value - 24;
      const size = 1 << form;
      if (form > 3) throw malformed("an indefinite length or reserved form");
      if (at + size > end) throw malformed("it ends too early");
      value = readUint(frame, at, size);
      if (value < SHORTEST[form]) throw malformed("not the shortest form");
      at += size;
    }
    if (major === MAJOR_UINT || major === MAJOR_NEGATIVE) {
      if (value > Number.MAX_SAFE_INTEGER - major) {
        throw malformed("an integer beyond ±(2^53 − 1)");
      }
      continue;
    }
    if (value > end - at) throw malformed("it ends too early");
    if (major === MAJOR_ARRAY) {
      if (depth === DEPTH_MAX) throw malformed("arrays nested too deeply");
      outer[depth++] = left;
      left = value;
    } else if (major === MAJOR_BYTES) {
      at += value;
    } else if (major === MAJOR_TEXT) {
      checkText(frame.subarray(at, at + value));
      at += value;
    } else {
      throw malformed("a map or a tag");
    }
  }
}

function checkText(bytes: Uint8Array): void {
  if (bytes.length > TEXT_MAX) throw malformed("a text string too long");
  try {
    utf8.decode(bytes);
  } catch {
    throw malformed("a text string that is not UTF-8");
  }
}

/** An unsigned big-endian integer; inexact from 2^53 on, and never below. */
function readUint(frame: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = 0; i < size; i++) value = value * 256 + frame[at + i];
  return value;
}

function malformed(what: string): ProtocolError {
  return new ProtocolError(`Cannot accept a malformed message: ${what}`);
}
