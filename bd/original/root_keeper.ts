/**
 * Where the trusted state of an original's image comes from when it is opened,
 * and where it goes to from then on.
 *
 * @module
 */

import { statSync } from "node:fs";
import { IntegrityError } from "../block_device.ts";
import { isEqual } from "../bytes.ts";
import { hostError } from "../host_error.ts";
import type { Anchor } from "../journal/anchor.ts";
import { RollbackError } from "../journal/errors.ts";
import type { VolumeState } from "../journal/state.ts";
import type { TrustedState } from "../trusted_state.ts";
import type { RootSource } from "./device_spec.ts";
import { RootFile, type RootFileOptions } from "./root_file.ts";

/** How the state is kept. */
export interface RootKeeperOptions {
  /** Change no root file, and make none. */
  readonly readOnly?: boolean;
  /**
   * Path of the root file; a ROOT that is a file is the default. What it holds
   * goes before a ROOT on the command line, which is older.
   */
  readonly rootFile?: string;
  /** What the user should know is added here. */
  readonly warnings: string[];
}

/** What is known of the trusted state before the files are looked at. */
export type RootClaim =
  & Pick<TrustedState, "algorithm" | "root">
  & { leafCount: number | null; blockSize: number | null };

const WITHOUT_LEAVES =
  "the root is given without a number of leaves, which is taken from the " +
  "size of the tree: whoever changes that can put one block in the place of " +
  "another (give HEX@LEAVES)";

/** Where the trusted state comes from, and where it goes to. */
export class RootKeeper {
  /** What is to be trusted. */
  readonly source: RootClaim;
  #file: RootFile | null = null;
  readonly #path: string | undefined;
  readonly #readOnly: boolean;
  readonly #isKept: boolean;

  /**
   * Finds out what to trust. Throws {@link IntegrityError} for a root file
   * that holds no state, and what `HostFile.open()` throws.
   */
  constructor(root: RootSource, options: RootKeeperOptions) {
    const { rootFile, readOnly = false, warnings } = options;
    this.#readOnly = readOnly;
    this.#path = rootFile ?? (root.kind === "file" ? root.path : undefined);
    if (this.#path !== undefined && isThere(this.#path)) {
      this.#file = openRootFile(this.#path, { readOnly });
    }
    try {
      const kept = this.#file?.state ?? null;
      this.source = kept ?? this.#given(root, warnings);
      this.#isKept = kept !== null;
      if (kept && root.kind === "value" && !isSame(kept, root)) {
        warnings.push(
          `${this.#path} holds another root than the command line, and is ` +
            "taken to be newer",
        );
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether the state is stored somewhere when it changes. */
  get isStoring(): boolean {
    return this.#path !== undefined && !this.#readOnly;
  }

  /** The root file, if what is trusted is from it; null otherwise. */
  get file(): string | null {
    return this.#isKept ? this.#path! : null;
  }

  /** Puts the first state into a root file that has none. */
  begin(state: TrustedState): void {
    if (this.#readOnly || this.#path === undefined) return;
    this.#file ??= openRootFile(this.#path, { create: true });
    if (this.#file.state === null) this.#file.write(state);
  }

  /** Resolves when `state` is on stable storage, if it is kept. */
  async store(state: TrustedState): Promise<void> {
    await this.#file?.store(state);
  }

  /**
   * Stores `state` in the place of one that has one of `roots`. Throws
   * {@link RollbackError} if another one is there.
   */
  async replace(roots: Uint8Array[], state: TrustedState): Promise<void> {
    const present = this.#file?.read();
    if (present && !roots.some((root) => isEqual(root, present.root))) {
      throw new RollbackError(
        `Cannot store the root in ${this.#path}: somebody else has stored ` +
          "another one; is a copy of the image in use?",
      );
    }
    await this.store(state);
  }

  /** Gives up the root file. Again does nothing. */
  close(): void {
    this.#file?.close();
  }

  /** The state that ROOT is, or that is in the file it names. */
  #given(root: RootSource, warnings: string[]): RootClaim {
    if (root.kind === "value") {
      if (root.leafCount === null) warnings.push(WITHOUT_LEAVES);
      return { ...root, blockSize: null };
    }
    if (this.#file === null || root.path !== this.#path) {
      const file = openRootFile(root.path, { readOnly: true });
      file.close();
      if (file.state) return file.state;
    }
    throw new IntegrityError(
      0,
      `Cannot trust ${root.path}: the root file is empty ` +
        "(give HEX@LEAVES, and the file as --root-file)",
    );
  }
}

/** A root file as the anchor of a journal: it holds the root of its state. */
export class RootAnchor implements Anchor {
  readonly #keeper: RootKeeper;
  readonly #trusted: TrustedState;
  #state: VolumeState;

  /**
   * Makes an anchor of `keeper`, which becomes the anchor's to close, and in
   * which the root of `state` is stored. All states are as `trusted` is but for
   * their roots.
   */
  constructor(keeper: RootKeeper, trusted: TrustedState, state: VolumeState) {
    this.#keeper = keeper;
    this.#trusted = trusted;
    this.#state = state;
  }

  /** The state whose root is known to be stored. */
  get state(): VolumeState {
    return this.#state;
  }

  /** Stores the root of a state; see {@link Anchor.store}. */
  async store(expected: VolumeState, next: VolumeState): Promise<void> {
    const { root } = next;
    await this.#keeper.replace([expected.root, root], {
      ...this.#trusted,
      root,
    });
    this.#state = next;
  }

  /** Closes the root file. */
  close(): void {
    this.#keeper.close();
  }
}

function openRootFile(path: string, options: RootFileOptions): RootFile {
  return openPart(path, (path) => RootFile.open(path, options));
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isSame(kept: TrustedState, root: RootSource): boolean {
  return root.kind === "value" && kept.root.toHex() === root.root.toHex();
}

/** Opens a file beside the image. The host's errors say which it is. */
export function openPart<T>(path: string, open: (path: string) => T): T {
  try {
    return open(path);
  } catch (error) {
    throw hostError(path, error);
  }
}
