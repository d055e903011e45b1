/**
 * Reading around what the server cannot read: block by block where a longer
 * read fails, with zeros in the place of what is lost.
 *
 * @module
 */

import { FsError } from "../fs/mod.ts";
import type { Client, RemoteFile } from "../rpc/mod.ts";
import { hasCode } from "./remote_walk.ts";
import type { Session } from "./session.ts";

/** Blocks that are asked for at a time. */
const READS_IN_FLIGHT = 16;
/** Blocks of a volume have as many bytes, at least and at most. */
const BLOCK_SIZES = [1024, 2048, 4096, 8192, 16384, 32768, 65536];
/**
 * Blocks in a row after which the server is believed to read nothing at all:
 * twice those of 4 KiB that go with one lost block of pointers to pointers.
 */
const BAD_BLOCKS_MAX = 2 << 20;

/** Takes the first byte and the last one of what cannot be read. */
export type ReportRange = (first: number, last: number) => void;

/** A part of a file. */
export interface FilePart {
  /** Its first byte. */
  offset: number;
  /** Its length, in bytes. */
  length: number;
}

/**
 * Whether a read failed for what is stored, and not for the connection or for
 * what was asked: other parts of the same file may be readable.
 */
export function isUnreadable(client: Client, error: unknown): boolean {
  // An error that ended the connection may have the same code.
  if (client.ended) return false;
  return hasCode(error, "EIO") || hasCode(error, "EUCLEAN");
}

/** How bad blocks of one file are read around. */
export interface SkipBad {
  /** Bytes of the server's blocks. */
  blockSize: number;
  /** Takes each range that reads as zeros, for it cannot be read. */
  report: ReportRange;
}

/** The same for each file, by what it is called in messages. */
export type SkipBadOf = (source: string) => SkipBad;

/** Reads around bad blocks, of which the user is told. */
export async function skipBadOf(
  { files, reporter }: Session,
): Promise<SkipBadOf> {
  const { blockSize } = await files.statfs();
  if (!BLOCK_SIZES.includes(blockSize)) {
    throw new FsError(
      "EPROTO",
      `the server says that its blocks have ${blockSize} bytes`,
    );
  }
  return (source) => ({
    blockSize,
    report: (first, last): void => {
      const what = `bytes ${first} to ${last} cannot be read`;
      reporter.reportDamage(source, `${what}: filled with zeros`);
    },
  });
}

/**
 * Reads parts of one file, from its start to its end, around bad blocks.
 *
 * Invariant: `#badFrom..#badEnd` is what could not be read since the last byte
 * that could, and was not reported yet.
 */
export class AroundReader {
  readonly #file: RemoteFile;
  readonly #client: Client;
  readonly #blockSize: number;
  readonly #report: ReportRange;
  #badFrom = 0;
  #badEnd = 0;
  #badBlocks = 0;

  /** Reads from `file`, which is open on `client`. */
  constructor(client: Client, file: RemoteFile, skipBad: SkipBad) {
    this.#client = client;
    this.#file = file;
    this.#blockSize = skipBad.blockSize;
    this.#report = skipBad.report;
  }

  /**
   * What a part holds, in pieces; together they are shorter only where the
   * file ends. Throws what is no matter of single blocks, and `EIO` if nothing
   * at all seems to be readable.
   */
  async *read(part: FilePart): AsyncGenerator<Uint8Array> {
    const end = part.offset + part.length;
    const pending: { length: number; data: Promise<Uint8Array | null> }[] = [];
    let next = part.offset;
    for (let at = part.offset; at < end;) {
      while (pending.length < READS_IN_FLIGHT && next < end) {
        const length = Math.min(
          this.#blockSize - next % this.#blockSize,
          end - next,
        );
        const data = this.#block({ offset: next, length });
        // A failure is reported when its turn comes, not as unhandled.
        data.catch(() => {});
        pending.push({ length, data });
        next += length;
      }
      const { length, data } = pending.shift()!;
      const piece = await data;
      if (piece) this.good();
      else this.#bad(at, at + length);
      yield piece ?? new Uint8Array(length);
      if (piece && piece.length < length) return;
      at += length;
    }
  }

  /** Something could be read: reports what could not be read before it. */
  good(): void {
    if (this.#badBlocks === 0) return;
    this.#report(this.#badFrom, this.#badEnd - 1);
    this.#badBlocks = 0;
  }

  /** One block or a part of it; null if it cannot be read. */
  async #block(part: FilePart): Promise<Uint8Array | null> {
    const data = new Uint8Array(part.length);
    try {
      const count = await this.#file.readAt(data, part.offset);
      return data.subarray(0, count ?? 0);
    } catch (error) {
      if (isUnreadable(this.#client, error)) return null;
      throw error;
    }
  }

  #bad(from: number, end: number): void {
    if (this.#badBlocks === 0) this.#badFrom = from;
    this.#badEnd = end;
    if (++this.#badBlocks <= BAD_BLOCKS_MAX) return;
    throw new FsError(
      "EIO",
      `nothing can be read from byte ${this.#badFrom} on: given up`,
    );
  }
}
