/**
 * Operations on the connection itself.
 *
 * @module
 */

import { DATA_MAX, FRAME_LEAST, FRAME_MAX, IN_FLIGHT_MAX } from "../limits.ts";
import { boolean, integer, text } from "../wire_types.ts";
import { ENTRIES_MAX, extensions, node, uint32 } from "../wire_values.ts";
import { operation, QUERY, SESSION } from "./operation.ts";

/** See the module. */
export const SESSION_OPERATIONS = {
  hello: operation({
    number: 64,
    doc: "Opens the conversation; the first request of every connection.",
    ...SESSION,
    alone: true,
    errors: ["EPROTO", "EACCES", "EAGAIN"],
    arguments: {
      magic: text(16),
      version: uint32,
      maxFrame: integer(FRAME_LEAST, 0xffffffff),
      maxInFlight: integer(1, 0xffffffff),
      extensions,
    },
    results: {
      version: uint32,
      maxFrame: integer(FRAME_LEAST, FRAME_MAX),
      maxData: integer(1, DATA_MAX),
      maxInFlight: integer(1, IN_FLIGHT_MAX),
      maxDescriptors: uint32,
      maxLocks: uint32,
      maxTables: uint32,
      maxEntries: integer(1, ENTRIES_MAX),
      idleTimeout: uint32,
      readOnly: boolean,
      uid: uint32,
      gid: uint32,
      root: node,
      extensions,
    },
  }),
  ping: operation({
    number: 91,
    doc: "Does nothing, so that the server knows that the client is there.",
    ...QUERY,
    errors: [],
    arguments: {},
    results: {},
  }),
  goodbye: operation({
    number: 92,
    doc: "Ends the conversation: replies when every request before it was " +
      "answered, and then the server ends the connection.",
    ...SESSION,
    alone: true,
    errors: [],
    arguments: {},
    results: {},
  }),
  cancel: operation({
    number: 93,
    doc: "Ends the waiting of the request `id`, which fails with ECANCELED; " +
      "`found` is false if nothing of that id waits.",
    ...SESSION,
    alone: true,
    errors: [],
    arguments: { id: integer(1, Number.MAX_SAFE_INTEGER, "id") },
    results: { found: boolean },
  }),
} as const;
