/**
 * What a client waits for that asks for its changes to be durable.
 *
 * @module
 */

import { DeviceError, type DeviceErrorCode } from "../bd/block_device.ts";
import { FsError } from "../fs/errors.ts";
import type { Session } from "./session.ts";

/** What to tell a client, which may not know the names of host files. */
const HOST_FAILURE: Readonly<Record<DeviceErrorCode, string>> = {
  ENOSPC: "the server's disk is full, and changes are not durable: make room " +
    "there, and sync again",
  EIO: "the server's disk fails, and changes are not durable: see its log",
  EROFS: "the server's disk is read-only, and changes are not durable",
  EBADF: "the server has given up its volume, and changes are not durable",
  EINVAL: "the server cannot use its volume, and changes are not durable",
};

/**
 * Resolves when every change that was answered is on stable storage. Rejects
 * with {@link FsError} of the host's errno if it could not be made so; the log
 * has the host's own words.
 */
export async function commit(
  session: Session,
): Promise<Record<string, never>> {
  try {
    await session.fs.sync();
    return {};
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    session.report("Cannot make changes durable", error);
    throw new FsError(error.code, HOST_FAILURE[error.code]);
  }
}
