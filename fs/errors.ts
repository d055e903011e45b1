/**
 * The errors of the engine.
 *
 * The engine speaks in errno names; the numbers, which differ between systems,
 * are given by the RPC (`rpc/errno.ts`). An `FsError` is the caller's fault or
 * the volume's fullness; a `CorruptError` is a structure on the device that
 * breaks a rule of the format. Neither leaves a trace on the volume.
 *
 * @module
 */

/** The errno names the engine and its commands use, with their usual text. */
export const ERRNO_TEXT = {
  EPERM: "Operation not permitted",
  ENOENT: "No such file or directory",
  EINTR: "Interrupted system call",
  EIO: "Input/output error",
  ENXIO: "No such device or address",
  EBADF: "Bad file descriptor",
  EAGAIN: "Resource temporarily unavailable",
  ENOMEM: "Cannot allocate memory",
  EACCES: "Permission denied",
  EBUSY: "Device or resource busy",
  EEXIST: "File exists",
  EXDEV: "Invalid cross-device link",
  ENOTDIR: "Not a directory",
  EISDIR: "Is a directory",
  EINVAL: "Invalid argument",
  ENFILE: "Too many open files in system",
  EMFILE: "Too many open files",
  ETXTBSY: "Text file busy",
  EFBIG: "File too large",
  ENOSPC: "No space left on device",
  ESPIPE: "Illegal seek",
  EROFS: "Read-only file system",
  EMLINK: "Too many links",
  EDEADLK: "Resource deadlock avoided",
  ENOLCK: "No locks available",
  ERANGE: "Numerical result out of range",
  ENAMETOOLONG: "File name too long",
  ENOSYS: "Function not implemented",
  ENOTEMPTY: "Directory not empty",
  ELOOP: "Too many levels of symbolic links",
  ENODATA: "No data available",
  EPROTO: "Protocol error",
  EOVERFLOW: "Value too large for defined data type",
  EUCLEAN: "Structure needs cleaning",
  EOPNOTSUPP: "Operation not supported",
  ESTALE: "Stale file handle",
  ESHUTDOWN: "Cannot send after transport endpoint shutdown",
  ETIMEDOUT: "Connection timed out",
  ECANCELED: "Operation canceled",
} as const;

/** An errno name, such as `"ENOENT"`. */
export type Errno = keyof typeof ERRNO_TEXT;

/** What was to be done, and with which file. */
export interface FsErrorContext extends ErrorOptions {
  /** What was to be done, as in "rename". */
  operation: string;
  /** The path that was given. */
  path: string;
  /** The second path, of operations that have two. */
  to?: string;
}

/** An operation was refused; nothing has changed. */
export class FsError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "FsError";
  /** An errno name, such as `"ENOENT"`. */
  readonly code: Errno;
  /** What was to be done, where a path was given for it. */
  readonly operation?: string;
  /** The path that was given. */
  readonly path?: string;

  /**
   * Makes an error of `code`. `detail` says more than the errno's usual text
   * where that helps the reader: which name, which limit, what to do.
   */
  constructor(code: Errno, detail?: string, context?: FsErrorContext) {
    const reason = detail ? `${ERRNO_TEXT[code]}: ${detail}` : ERRNO_TEXT[code];
    super(context ? `${actionOf(context)}: ${reason}` : reason, context);
    this.code = code;
    this.operation = context?.operation;
    this.path = context?.path;
  }
}

function actionOf({ operation, path, to }: FsErrorContext): string {
  const object = JSON.stringify(path);
  return to === undefined
    ? `Cannot ${operation} ${object}`
    : `Cannot ${operation} ${object} to ${JSON.stringify(to)}`;
}

/** Where on the device a broken rule was met. */
export interface CorruptPlace {
  /** Device block number. */
  block?: number;
  /** Inode number. */
  inode?: number;
  /** Block group number. */
  group?: number;
}

/**
 * A structure on the device breaks a rule of the format. The operation that
 * met it fails with `EUCLEAN`; everything else goes on.
 */
export class CorruptError extends FsError {
  /** The name of the class, for messages. */
  override readonly name: string = "CorruptError";
  /** Where the rule is broken. */
  readonly place: CorruptPlace;

  /** Makes the error; `rule` names what is wrong, in the field's terms. */
  constructor(rule: string, place: CorruptPlace = {}) {
    const where = Object.entries(place)
      .map(([kind, number]) => `${kind} ${number}`).join(", ");
    super("EUCLEAN", where ? `${rule} (${where})` : rule);
    this.place = place;
  }
}
