/**
 * Messages: requests `[id, operation, …arguments]` and replies
 * `[id, status, …results]`.
 *
 * Messages are decoded by cbor-x, behind the check in `well_formed.ts`, and
 * encoded by `frame_writer.ts`, which says why it is our own.
 *
 * @module
 */

import { Decoder } from "cbor-x";
import { ProtocolError } from "./protocol_error.ts";
import { checkWellFormed } from "./well_formed.ts";

/**
 * The most items in a request: several times what the largest operation has.
 */
export const REQUEST_ITEMS_MAX = 1024;

/** The most items in a reply: a full `readdir` has about 30,000. */
export const REPLY_ITEMS_MAX = 65536;

/** A decoded message: an id, an operation or a status, and values. */
export type Message = [id: number, code: number, ...values: unknown[]];

// Integers of 8 bytes come as BigInt, and are numbers from here or from
// `integer()` on: the library's own conversion is wrong for negative ones.
const decoder = new Decoder({ useRecords: false, mapsAsObjects: false });

/**
 * Decodes a frame. Byte strings in the message are views of it. Throws
 * {@link ProtocolError}, or {@link BadMessageError} if the frame is well
 * formed and has an id, but is no message.
 */
export function decodeMessage(frame: Uint8Array, itemsMax: number): Message {
  checkWellFormed(frame, itemsMax);
  const message: unknown = decoder.decode(frame);
  const id = Array.isArray(message) ? unsigned(message[0]) : null;
  if (id === null) {
    throw new ProtocolError(
      "Cannot accept a message that is not an array with an id",
    );
  }
  const checked = message as Message;
  const code = unsigned(checked[1]);
  if (code === null) throw new BadMessageError(id);
  checked[0] = id;
  checked[1] = code;
  return checked;
}

/** A message with an id, but without an operation or a status. */
export class BadMessageError extends ProtocolError {
  /** The name of the class, for messages. */
  override readonly name: string = "BadMessageError";

  /** Makes the error for the message `id`. */
  constructor(readonly id: number) {
    super("Cannot accept a message whose second item is not a number");
  }
}

/** The item as an unsigned number, or null if it is none. */
function unsigned(item: unknown): number | null {
  const number = typeof item === "bigint" ? Number(item) : item;
  return typeof number === "number" && number >= 0 ? number : null;
}
