/**
 * Status numbers: Linux's errno numbers for the names the engine speaks in.
 *
 * A status is 0 for success and otherwise one of these numbers, whatever
 * system the server runs on (asm-generic/errno-base.h and errno.h).
 *
 * @module
 */

import { DeviceError } from "../bd/block_device.ts";
import { type Errno, FsError } from "../fs/errors.ts";
import { ProtocolError } from "./protocol_error.ts";

/** The number of each errno name on Linux. */
export const ERRNO_NUMBER: Readonly<Record<Errno, number>> = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EPROTO: 71,
  EOVERFLOW: 75,
  EUCLEAN: 117,
  EOPNOTSUPP: 95,
  ESHUTDOWN: 108,
  ETIMEDOUT: 110,
  ESTALE: 116,
  ECANCELED: 125,
};

const NAME_BY_NUMBER = new Map(
  Object.entries(ERRNO_NUMBER).map(([name, number]) => [number, name as Errno]),
);

/**
 * The errno name of a status. A number that this version does not know stands
 * for a failure all the same: `EIO`.
 */
export function errnoName(status: number): Errno {
  return NAME_BY_NUMBER.get(status) ?? "EIO";
}

/**
 * The status that reports `error`. Anything that is not one of the project's
 * own errors is a defect of the server, which the client sees as `EIO`.
 */
export function statusOf(error: unknown): number {
  if (
    error instanceof FsError || error instanceof DeviceError ||
    error instanceof ProtocolError
  ) {
    return ERRNO_NUMBER[error.code];
  }
  return ERRNO_NUMBER.EIO;
}
