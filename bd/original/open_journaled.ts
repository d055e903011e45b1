/**
 * Images of the original server, opened with a journal: what is written to
 * image and tree takes effect as a whole, or not at all.
 *
 * The journal is a file beside the image, which the original knows nothing of.
 * Once the image was closed in good order, everything is in image and tree,
 * and the original can read them; until then it must not.
 *
 * A root file is the anchor: it is written with each commit, and from that
 * moment on the commit counts.
 *
 * @module
 */

import { BorrowedDevice } from "../borrowed.ts";
import { IntegrityError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { isEqual } from "../bytes.ts";
import type { Anchor } from "../journal/anchor.ts";
import { RollbackError } from "../journal/errors.ts";
import { Journal } from "../journal/journal.ts";
import { JournaledDevice } from "../journal/journaled_device.ts";
import { type Chain, readChain, recoveryAt } from "../journal/recover.ts";
import type { VolumeState } from "../journal/state.ts";
import { type HostFile, StdDevice } from "../std.ts";
import { usualJournalSize } from "../volume/create.ts";
import { AnchorOptionError } from "../volume/errors.ts";
import type { DeviceSpec } from "./device_spec.ts";
import {
  findJournal,
  identityOf,
  type JournalKind,
  journalKind,
  journalPath,
  makeJournal,
} from "./image_journal.ts";
import { buildLayers } from "./layers.ts";
import {
  type OpenOriginalOptions,
  openPlain,
  type OriginalImage,
} from "./open_original.ts";
import { blockSizeOf, openParts, type Parts, trustedRoot } from "./parts.ts";
import {
  findPresent,
  rolledBack,
  rootDigest,
  type TrustedRoot,
} from "./present_state.ts";
import { RootAnchor } from "./root_keeper.ts";

/** How an image is opened with its journal. */
export interface OpenJournaledOptions extends OpenOriginalOptions {
  /** Size of a journal that is made, in bytes; a 16th of the image if absent. */
  readonly journalSize?: number;
  /** A generation to be taken, though the root says another. */
  readonly acceptRollback?: number;
}

/**
 * Opens `image` as `spec` says, with the journal beside it; the caller wipes
 * the secrets in it. If there is none, it is made, unless the image is opened
 * read-only.
 *
 * Throws what `openOriginal` does but for `JournalNeededError`, and
 * `RollbackError` if no state of the journal has the trusted root.
 */
export async function openJournaled(
  image: string,
  spec: DeviceSpec,
  options: OpenJournaledOptions,
): Promise<OriginalImage> {
  using stack = new DisposableStack();
  using keys = new DisposableStack();
  const parts = openParts(image, spec, { ...options, stack, keys });
  const opening = new Opening(parts, options);
  stack.defer(() => opening.kind.format.mac.wipe());
  const found = findJournal(parts, opening.kind);
  if (found) stack.adopt(found.file, (one) => one.close());
  opening.checkAccept(found?.chain ?? null);
  let there = found?.chain ? opening.choose(found.file, found.chain) : null;
  if (!there) {
    opening.checkAsItIs(found?.chain ?? null);
    found?.file.close();
    if (!options.readOnly) {
      there = await opening.make();
      stack.adopt(there.file, (one) => one.close());
    }
  }
  const opened = there ? await opening.open(there) : openPlain(parts, options);
  stack.move();
  return opened;
}

/** A journal, and which of its states is the present one. */
interface Present {
  readonly file: HostFile;
  readonly chain: Chain;
  readonly index: number;
}

/** An image that is being opened. */
class Opening {
  /** The kind of its journal; the key in it is to be wiped. */
  readonly kind: JournalKind;
  readonly #parts: Parts;
  readonly #options: OpenJournaledOptions;
  readonly #trusted: TrustedRoot | null;

  constructor(parts: Parts, options: OpenJournaledOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#trusted = trustedRoot(parts);
    this.kind = journalKind(parts);
  }

  /** Throws if a state is to be accepted where there is no choice. */
  checkAccept(chain: Chain | null): void {
    const { path } = this.#parts.file;
    if (this.#options.acceptRollback === undefined) return;
    if (!this.#trusted) {
      throw new AnchorOptionError(
        `Cannot open ${path}: --accept-rollback is for what has a hash tree, ` +
          "and this image has none: leave it out",
      );
    }
    if (chain) return;
    throw new AnchorOptionError(
      `Cannot open ${path}: there is no state that --accept-rollback could ` +
        `take, since there is no journal in ${journalPath(path)}`,
    );
  }

  /** The journal at its present state; null if it has nothing to say. */
  choose(file: HostFile, chain: Chain): Present | null {
    const states = chain.links.map(({ state }) => state);
    const { acceptRollback: accept } = this.#options;
    const trusted = this.#trusted;
    const { isKeyed } = this.kind.format;
    try {
      const present = findPresent(states, { trusted, isKeyed, accept });
      if (!present) return null;
      const { index, givenUp } = present;
      if (givenUp !== null) {
        this.#warn(
          `the journal goes on to generation ${givenUp}; without a password ` +
            "of the tree, what is behind ROOT cannot be trusted, and is left out",
        );
      }
      if (accept !== undefined && !isEqual(states[index].root, trusted!.root)) {
        const where = trusted!.file ? `in ${trusted!.file}` : "given";
        this.#warn(
          `accepted generation ${accept} in place of the root ${where}`,
        );
      }
      return { file, chain, index };
    } catch (error) {
      throw this.#about(error);
    }
  }

  /**
   * Throws unless image and tree are as they should be without a journal;
   * `chain` is what one of another state has to say.
   */
  checkAsItIs(chain: Chain | null): void {
    const { file, verity } = this.#parts;
    const image = new StdDevice(file, blockSizeOf(this.#parts));
    try {
      const { device } = buildLayers(this.#parts, {
        image: new BorrowedDevice(image),
        tree: verity && borrowedFile(verity.tree),
        root: this.#trusted?.root ?? null,
      }, { log: () => {} });
      device.close();
    } catch (error) {
      const isOther = chain && this.#trusted && error instanceof IntegrityError;
      if (!isOther) throw error;
      throw this.#about(rolledBack(chain.links[0].state, this.#trusted!));
    }
  }

  /** Makes a journal for the image as it is. */
  async make(): Promise<Present> {
    const { file } = this.#parts;
    const { format, rootBytes } = this.kind;
    const { journalSize = usualJournalSize(file.size) } = this.#options;
    const blockSize = blockSizeOf(this.#parts);
    const whole = { ...format, blockSize };
    const journal = await makeJournal(file, whole, {
      root: this.#trusted?.root ?? null,
      byteLength: journalSize,
    });
    try {
      const leafCount = Math.floor(file.size / blockSize);
      const identity = identityOf({ blockSize, leafCount }, rootBytes);
      const chain = readChain(journal, { format: whole, identity });
      return { file: journal, chain, index: 0 };
    } catch (error) {
      journal.close();
      throw error;
    }
  }

  /** Opens the image through its journal. */
  async open({ file, chain, index }: Present): Promise<OriginalImage> {
    const { file: image, verity: verified, warnings } = this.#parts;
    const { acceptRollback, treeCache, log } = this.#options;
    const { format, rootBytes } = this.kind;
    const { state } = chain.links[index];
    const tree = verified?.tree ?? null;
    const journal = await Journal.open({ journal: file, image, tree }, {
      format: { ...format, blockSize: state.blockSize },
      identity: identityOf(state, rootBytes),
      anchor: await this.#anchor(state),
      acceptRollback,
      recovered: recoveryAt(chain, index),
    });
    using stack = new DisposableStack();
    stack.defer(() => journal.close());
    const { device, verity } = buildLayers(this.#parts, {
      image: journal.image,
      tree: journal.tree,
      root: verified && journal.state.root,
    }, { treeCache, log, publish: ({ root }) => journal.commit({ root }) });
    stack.defer(() => device.close());
    await this.#noteRoot(journal);
    const open = stack.move();
    open.defer(() => verified?.keeper.close());
    return {
      device: new JournaledDevice(device, {
        journal,
        verifies: verity !== null,
        closeAll: () => open.dispose(),
      }),
      verity,
      warnings,
      state: () => verity?.state ?? null,
    };
  }

  /** The root file as the anchor of what `state` is the present of. */
  async #anchor(state: VolumeState): Promise<Anchor | null> {
    const { verity } = this.#parts;
    if (!verity?.keeper.isStoring) return null;
    const { keeper, trusted } = verity;
    if (keeper.file !== null) {
      // If another state was accepted, the root file has still the other root.
      return new RootAnchor(keeper, trusted, { ...state, root: trusted.root });
    }
    const first = { ...trusted, root: state.root };
    keeper.begin(first);
    await keeper.store(first);
    return new RootAnchor(keeper, trusted, state);
  }

  /**
   * Notes by which ROOT the image was opened: until it is closed in good order
   * the user has no other, and has to come back with it.
   */
  async #noteRoot(journal: Journal): Promise<void> {
    const { verity } = this.#parts;
    const isNeeded = this.kind.format.isKeyed && verity &&
      !verity.keeper.isStoring && !this.#options.readOnly;
    if (!isNeeded) return;
    const descriptor = rootDigest(verity.trusted.root);
    if (isEqual(journal.state.descriptor, descriptor)) return;
    await journal.commit({ descriptor });
  }

  #warn(message: string): void {
    this.#parts.warnings.push(message);
  }

  /** The same error, saying which image it is about. */
  #about(error: unknown): unknown {
    if (!(error instanceof RollbackError)) return error;
    const { isAcceptable, message } = error;
    return new RollbackError(
      `Cannot open ${this.#parts.file.path}: ${message}`,
      {
        isAcceptable,
      },
    );
  }
}

/** The same file, for one who closes what it is given. */
function borrowedFile(file: ByteFile): ByteFile {
  return {
    size: file.size,
    readOnly: file.readOnly,
    readAt: (position, into) => file.readAt(position, into),
    writeAt: (position, from) => file.writeAt(position, from),
    sync: () => file.sync(),
    close: () => {},
  };
}
