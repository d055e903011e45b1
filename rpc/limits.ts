/**
 * The bounds of the protocol: how much a peer may ask for.
 *
 * @module
 */

/** The protocol's version. */
export const VERSION = 1;

/** What a hello says first, so that a stray client is told apart. */
export const MAGIC = "nextfs";

/** Bytes of a frame that are not data: heads, ids, names, an error's text. */
export const FRAME_OVERHEAD = 4096;

/** The most data of one read or write that a server may offer, in bytes. */
export const DATA_MAX = 1024 * 1024;

/** The longest frame a server may offer, without its prefix, in bytes. */
export const FRAME_MAX = DATA_MAX + FRAME_OVERHEAD;

/** The shortest limit on frames a client may ask for, in bytes. */
export const FRAME_LEAST = 16 * 1024;

/** The longest frame before the hello, in bytes. */
export const HELLO_FRAME_MAX = 256;

/** The most requests in flight that a server may offer. */
export const IN_FLIGHT_MAX = 1024;

/** The longest text that goes with an error, in UTF-16 units. */
export const ERROR_TEXT_MAX = 256;

/** Bytes that hold any reply without data, names or entries. */
export const SMALL_REPLY = 1536;

/** Bytes that one `readdir` reply does not exceed. */
export const READDIR_REPLY = 56 * 1024;
