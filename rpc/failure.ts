/**
 * What a client is told of an error, and what only the server's owner is.
 *
 * @module
 */

import { CorruptError, ERRNO_TEXT, FsError } from "../fs/errors.ts";
import { statusOf } from "./errno.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { ERROR_TEXT_MAX } from "./limits.ts";
import { ProtocolError } from "./protocol_error.ts";

/** A failure as it is on the wire. */
export interface Failure {
  /** Errno number. */
  readonly status: number;
  /** What there is to say besides; often nothing. */
  readonly detail: string;
}

/**
 * The failure that `error` is to a client. `tellOwner` is called for what the
 * server's owner should know of: what the client may not know, such as the
 * names of host files, and what is wrong with the volume.
 */
export function failureOf(error: unknown, tellOwner: () => void): Failure {
  const detail = detailOf(error);
  if (detail === undefined || error instanceof CorruptError) tellOwner();
  return {
    status: statusOf(error),
    detail: (detail ?? "").slice(0, ERROR_TEXT_MAX),
  };
}

/** Writes the reply to request `id`, or with 0 a last word to the client. */
export function writeFailure(
  to: FrameWriter,
  id: number,
  { status, detail }: Failure,
): void {
  to.begin(3);
  to.int(id);
  to.int(status);
  to.text(detail);
  to.end();
}

/** What a client is told besides the errno; undefined if it may not be. */
function detailOf(error: unknown): string | undefined {
  if (error instanceof ProtocolError) return error.message;
  if (!(error instanceof FsError)) return undefined;
  const usual = ERRNO_TEXT[error.code];
  return error.message === usual
    ? ""
    : error.message.slice(usual.length + ": ".length);
}
