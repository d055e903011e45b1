/**
 * Flags of `open` and `create`, with Linux's numbers (asm-generic/fcntl.h).
 *
 * @module
 */

/** Open for reading. */
export const O_RDONLY = 0;
/** Open for writing. */
export const O_WRONLY = 1;
/** Open for reading and writing. */
export const O_RDWR = 2;
/** The bits that hold one of the three above. */
export const O_ACCMODE = 3;
/** `file_open2`: make a file that does not exist. */
export const O_CREAT = 0o100;
/** `create`: refuse a name that exists. */
export const O_EXCL = 0o200;
/** Cut the file to nothing. */
export const O_TRUNC = 0o1000;
/** Every write goes to the end of the file, wherever it was meant to go. */
export const O_APPEND = 0o2000;
/** A write is answered when it is on stable storage. */
export const O_DSYNC = 0o10000;
/** Refuse what is not a directory. */
export const O_DIRECTORY = 0o200000;
/** Refuse a symbolic link, which `file_open2` follows otherwise. */
export const O_NOFOLLOW = 0o400000;
/** The same as O_DSYNC, for a commit leaves nothing of a file behind; two bits. */
export const O_SYNC = 0o4010000;
