/**
 * The root file: the trusted state of a verified image of the original's, in a
 * file that the host of the image cannot change.
 *
 * It is one line of JSON, filled up with spaces to 512 bytes:
 *
 * ```json
 * {"algorithm":"sha256","blockSize":4096,"leaves":1000,"root":"5c0f…"}
 * ```
 *
 * The file is opened once and written in place, so that this goes on working
 * when the process has given up every permission. 512 bytes are one sector,
 * which disks write as a whole or not at all.
 *
 * @module
 */

import { closeSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { IntegrityError } from "../block_device.ts";
import { DIGEST_BYTES, type HashAlgorithm } from "../hmac.ts";
import { HostFile } from "../std.ts";
import type { TrustedState } from "../trusted_state.ts";
import { syncDirectory } from "../volume/files.ts";

/** Size of a root file, in bytes. */
export const ROOT_FILE_BYTES = 512;

/** Sizes of the blocks that an image may have. */
const BLOCK_SIZES = [1024, 2048, 4096];

/** How a root file is opened. */
export interface RootFileOptions {
  /** Refuse to change it. */
  readonly readOnly?: boolean;
  /** Make it, without a state, if it is not there. */
  readonly create?: boolean;
}

/** See the module. */
export class RootFile {
  /** Where it is. */
  readonly path: string;
  readonly #file: HostFile;
  #state: TrustedState | null;

  private constructor(file: HostFile, state: TrustedState | null) {
    this.path = file.path;
    this.#file = file;
    this.#state = state;
  }

  /**
   * Opens the root file at `path`. Throws {@link IntegrityError} if it holds
   * something else, what `HostFile.open()` throws, and what the runtime throws
   * if it cannot be made.
   */
  static open(path: string, options: RootFileOptions = {}): RootFile {
    if (options.create) createFile(path);
    const file = HostFile.open(path, { readOnly: options.readOnly });
    try {
      return new RootFile(file, readState(file));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** The state in it; null if it is empty, as a new one is. */
  get state(): TrustedState | null {
    return this.#state;
  }

  /** The state that is in it now, whoever has put it there; null if none. */
  read(): TrustedState | null {
    const bytes = new Uint8Array(ROOT_FILE_BYTES);
    this.#file.readAt(0, bytes);
    return decodeState(bytes);
  }

  /** Puts `state` in the place of what is in it, not yet durably. */
  write(state: TrustedState): void {
    this.#file.writeAt(0, encodeState(state));
    this.#state = { ...state, root: state.root.slice() };
  }

  /** Puts `state` into it; resolves when that is on stable storage. */
  async store(state: TrustedState): Promise<void> {
    this.write(state);
    await this.#file.sync();
  }

  /** Closes the file. Again does nothing. */
  close(): void {
    this.#file.close();
  }
}

/** Makes an empty file, and its name durable; none if there is one. */
function createFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    if ((error as { code?: unknown }).code === "EEXIST") return;
    throw error;
  }
  syncDirectory(dirname(path));
}

function readState(file: HostFile): TrustedState | null {
  if (file.size === 0) return null;
  if (file.size === ROOT_FILE_BYTES) {
    const bytes = new Uint8Array(ROOT_FILE_BYTES);
    file.readAt(0, bytes);
    const state = decodeState(bytes);
    if (state !== null) return state;
  }
  throw new IntegrityError(
    0,
    `Cannot trust ${file.path}: it is not a root file, or was damaged ` +
      "(put back a good copy, or make a new one with " +
      "'nextfs makemerkle --root-file PATH')",
  );
}

/** The contents of the root file for `state`. */
export function encodeState(state: TrustedState): Uint8Array {
  const { algorithm, blockSize, leafCount: leaves, root } = state;
  const fields = { algorithm, blockSize, leaves, root: root.toHex() };
  const line = JSON.stringify(fields);
  return new TextEncoder().encode(`${line.padEnd(ROOT_FILE_BYTES - 1)}\n`);
}

/**
 * The state that a root file with `bytes` holds; null if it is none. Only what
 * {@link encodeState} makes is one, to the byte.
 */
export function decodeState(bytes: Uint8Array): TrustedState | null {
  if (bytes.length !== ROOT_FILE_BYTES) return null;
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(new TextDecoder("utf-8").decode(bytes)) ?? {};
  } catch {
    return null;
  }
  const { algorithm, blockSize, leaves, root } = fields;
  if (
    typeof algorithm !== "string" || !Object.hasOwn(DIGEST_BYTES, algorithm) ||
    typeof leaves !== "number" || !Number.isSafeInteger(leaves) || leaves < 1 ||
    typeof root !== "string" || !/^([0-9a-f]{2})+$/.test(root) ||
    root.length !== 2 * DIGEST_BYTES[algorithm as HashAlgorithm] ||
    !BLOCK_SIZES.includes(blockSize as number)
  ) return null;
  const state: TrustedState = {
    algorithm: algorithm as HashAlgorithm,
    blockSize: blockSize as number,
    leafCount: leaves,
    root: Uint8Array.fromHex(root),
  };
  const canonical = encodeState(state);
  return bytes.every((byte, i) => byte === canonical[i]) ? state : null;
}
