/**
 * The journal: it makes what is written to an image and its hash tree take
 * effect as a whole or not at all, whatever becomes of the host.
 *
 * ## The order in which bytes reach which file
 *
 * Blocks and tree nodes that the layers above write stay in memory. Then:
 *
 * | | step | file | synced |
 * | --- | --- | --- | --- |
 * | 1 | the record: all of them, and the state that they make | journal | yes |
 * | 2 | the anchor: that state | anchor | yes |
 * | 3 | **committed**: who waits for it is told | | |
 * | 4 | later, and for many commits at once: blocks to their places | image | yes |
 * | | and nodes to theirs | tree | yes |
 * | 5 | the checkpoint: the state that they make | journal | yes |
 * | 6 | the space of their records is written again | journal | |
 *
 * Step 2 is the one moment from which a commit counts. Without an anchor it is
 * the end of step 1. Step 1 is synced before 2 begins, so that no anchor says
 * what no record has; only what is committed takes part in 4, so that nothing
 * is in the image that might not count; 4 is synced before 5, and 5 before 6,
 * so that whatever the checkpoint leaves out is in a record that is whole.
 * 1 and 2 of one commit go side by side with 4 of earlier ones; 1 and 5, which
 * sync the same file, take turns, since the host tells of a failed write once.
 *
 * ## When the host fails
 *
 * - In step 1, the commit has failed: what it held is kept in memory for the
 *   next. Since the host may have lost what it was given, nothing is tried
 *   again in the same place: first everything committed is brought to its
 *   place (4), and then a checkpoint (5) with a new epoch points behind the
 *   failed record, so that this one never counts.
 * - In step 2, nobody knows whether it counts. The record is kept, and the
 *   same state is stored again before anything else is done.
 * - In steps 4 and 5, what is committed stays in memory and in its records,
 *   and all of it is written again another time. When the ring is full,
 *   commits fail.
 *
 * ## At the start
 *
 * See `recover.ts`. What was recovered is in memory, like what is committed.
 * Its last record, checkpoint and anchor are stored once more, in the same
 * place: a process that was killed may have left them where they can be read,
 * and not be durable, even though they are synced again. A
 * journal that is opened for writing goes through 4 and 5 at once, with a new
 * epoch: what was discarded can never follow the checkpoint again.
 *
 * @module
 */

import { type BlockDevice, DeviceError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { Slices } from "../slices.ts";
import type { Anchor } from "./anchor.ts";
import { type Checkpoint, RING_START } from "./checkpoint.ts";
import { placeBlocks, placeNodes } from "./place.ts";
import {
  commitBlocks,
  type Contents,
  recordBytes,
  type RecordFormat,
  writeRecord,
} from "./record.ts";
import { type Identity, recover, type Recovery } from "./recover.ts";
import { Ring } from "./ring.ts";
import { StagedImage } from "./staged_image.ts";
import { StagedTree } from "./staged_tree.ts";
import { Staging } from "./staging.ts";
import type { VolumeState } from "./state.ts";

/** The files of a volume; all of them become the journal's to close. */
export interface JournalFiles {
  /** The journal. */
  readonly journal: ByteFile;
  /** The image. */
  readonly image: ByteFile;
  /** The hash tree, if there is one. */
  readonly tree: ByteFile | null;
}

/** How a journal is opened. */
export interface JournalOptions {
  /** How records are made; its `mac` becomes the journal's to wipe. */
  readonly format: RecordFormat;
  /** Which volume it must be. */
  readonly identity: Identity;
  /** Where the present state is stored; null if that is the journal's tail. */
  readonly anchor: Anchor | null;
  /**
   * A generation that the caller agrees to go back to, though the anchor says
   * that a later one is the present.
   */
  readonly acceptRollback?: number;
  /** What was recovered, if that was done already, by other rules. */
  readonly recovered?: Recovery;
  /** Looks at the state that was found, and throws before anything is written. */
  readonly check?: (state: VolumeState) => void;
}

/** What a commit may change besides blocks and nodes. */
export type StateChanges = Partial<
  Pick<VolumeState, "root" | "descriptor" | "nextDescriptor" | "unfinished">
>;

/** A record that is written, while its commit is not over. */
interface Written {
  readonly state: VolumeState;
  readonly byteLength: number;
}

/** Part of the ring that is used before a checkpoint is made, as a divisor. */
const CHECKPOINT_SHARE = 2;

/** See the module. */
export class Journal {
  /** The image. To flush it or to close it does nothing. */
  readonly image: BlockDevice;
  /** The tree, if there is one. To sync it or to close it does nothing. */
  readonly tree: ByteFile | null;
  /** The most blocks that one commit may hold. */
  readonly commitBlocksMax: number;
  readonly #files: JournalFiles;
  readonly #format: RecordFormat;
  readonly #anchor: Anchor | null;
  readonly #checkpoint: Checkpoint;
  readonly #ring: Ring;
  readonly #blocks: Staging;
  readonly #nodes: Staging;
  #epoch: Uint8Array;
  /** The last state that is committed. */
  #state: VolumeState;
  /** Where its record ends. */
  #end: number;
  /** Where the next record goes. */
  #position: number;
  /** Bytes of the ring from the checkpoint's position to `#position`. */
  #used = 0;
  /** Bytes of these up to `#end`. */
  #committed = 0;
  /** A record could not be written: the next one has to go elsewhere. */
  #isBroken = false;
  /** A record that is durable, of which nobody knows whether it counts. */
  #inDoubt: Written | null = null;
  #commits: Promise<void> = Promise.resolve();
  #fileTurn: Promise<unknown> = Promise.resolve();
  #checkpointing: Promise<void> | null = null;
  #nextCheckpoint: Promise<void> | null = null;
  #open = true;

  private constructor(
    files: JournalFiles,
    found: Recovery,
    { format, identity, anchor }: JournalOptions,
  ) {
    const { blockSize, nodeBytes } = format;
    this.#files = files;
    this.#format = format;
    this.#anchor = anchor;
    this.#checkpoint = found.checkpoint;
    this.#ring = new Ring(files.journal, RING_START);
    this.#state = found.state;
    this.#epoch = found.checkpoint.state.epoch;
    this.#position = this.#end = found.position;
    const blocks = this.#blocks = new Staging(blockSize);
    const nodes = this.#nodes = new Staging(nodeBytes);
    this.image = new StagedImage(files.image, { blockSize, staging: blocks });
    this.tree = files.tree &&
      new StagedTree(files.tree, { nodeBytes, staging: nodes });
    const { leafCount } = identity;
    this.commitBlocksMax = commitBlocks(this.#ring.size, leafCount, format);
    for (const contents of found.contents) this.#recover(contents);
  }

  /**
   * Opens the journal, and finds the state that the volume is in. If its files
   * are read-only, nothing is written. Throws `RollbackError` if the anchor
   * says another state, `IntegrityError` if the journal is not authentic, and
   * what `check` throws; files and `mac` are the caller's then.
   */
  static async open(
    files: JournalFiles,
    options: JournalOptions,
  ): Promise<Journal> {
    const { format, identity, anchor, acceptRollback } = options;
    const found = options.recovered ?? recover(files.journal, {
      format,
      identity,
      anchored: anchor?.state ?? null,
      accept: acceptRollback,
    });
    const journal = new Journal(files, found, options);
    options.check?.(journal.state);
    if (files.journal.readOnly) return journal;
    await journal.#affirm(found);
    if (acceptRollback !== undefined) await journal.#goOnFromHere();
    await journal.#restart();
    return journal;
  }

  /** The last state that is committed. */
  get state(): VolumeState {
    return this.#state;
  }

  /** Whether everything that was written is committed, for all we know. */
  get isSettled(): boolean {
    const pending = this.#blocks.pendingCount + this.#nodes.pendingCount;
    return pending === 0 && !this.#inDoubt;
  }

  /**
   * Commits all that was written before this call, and `changes` of the state.
   * Resolves when it is committed; calls take turns. If the host fails, what
   * was written is part of the next commit, and `changes` are not.
   */
  commit(changes: StateChanges = {}): Promise<void> {
    const turn = this.#commits.then(() => this.#commit(changes));
    this.#commits = turn.catch(() => {});
    return turn;
  }

  /**
   * Brings everything that is committed to its place, and makes that durable.
   * Calls that are made while one is under way share the next.
   */
  checkpoint(): Promise<void> {
    if (this.#checkpointing) {
      // That one may have begun before the last commits.
      this.#nextCheckpoint ??= this.#checkpointing.catch(() => {}).then(() => {
        this.#nextCheckpoint = null;
        return this.checkpoint();
      });
      return this.#nextCheckpoint;
    }
    this.#checkpointing = this.#bringToPlace().finally(() => {
      this.#checkpointing = null;
    });
    return this.#checkpointing;
  }

  /** Gives up the files, the anchor and the key. Again does nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#format.mac.wipe();
    this.#files.journal.close();
    this.#files.image.close();
    this.#files.tree?.close();
    this.#anchor?.close();
  }

  /**
   * Stores the last record, checkpoint and anchor once more, as they are. They
   * can be read, but a process that was killed may have written them without a
   * sync, or with one that failed, which the next one does not make up for:
   * what is done next must not become durable before them. Earlier records
   * are: none is begun while the one before it is not.
   */
  async #affirm({ lastPosition, position }: Recovery): Promise<void> {
    this.#ring.rewrite(lastPosition, position);
    await this.#checkpoint.affirm();
    const anchor = this.#anchor;
    await anchor?.store(anchor.state, anchor.state);
  }

  #recover({ blocks, nodes }: Contents): void {
    const { nodeBytes } = this.#format;
    const treeBytes = this.#files.tree?.size ?? 0;
    for (const [block, bytes] of blocks) this.#blocks.recover(block, bytes);
    for (const [place, bytes] of nodes) {
      // Without a key, records say what the host likes.
      if ((place + 1) * nodeBytes > treeBytes) continue;
      this.#nodes.recover(place, bytes);
    }
  }

  /** Makes the state that was found the present one, of a new history. */
  async #goOnFromHere(): Promise<void> {
    const anchored = this.#anchor?.state ?? this.#state;
    let generation = Math.max(anchored.generation, this.#state.generation) + 1;
    // An anchor keeps the state before in the place of the other parity.
    if ((generation - anchored.generation) % 2 === 0) generation++;
    const next = { ...this.#state, generation, epoch: newEpoch() };
    await this.#anchor?.store(anchored, next);
    this.#state = next;
  }

  async #commit(changes: StateChanges): Promise<void> {
    this.#checkOpen();
    if (this.#inDoubt) await this.#store(this.#inDoubt);
    if (this.isSettled && Object.keys(changes).length === 0) return;
    if (this.#isBroken) await this.#restart();
    const contents = {
      blocks: this.#blocks.freeze(),
      nodes: this.#nodes.freeze(),
    };
    let written: Written;
    try {
      written = await this.#write(contents, changes);
    } catch (error) {
      this.#blocks.thaw();
      this.#nodes.thaw();
      throw error;
    }
    await this.#store(written);
    // What fails here stays committed, and is tried again when it must be.
    if (this.#used > this.#ring.size / CHECKPOINT_SHARE) {
      this.checkpoint().catch(() => {});
    }
  }

  /** Writes the record, and resolves when it is durable. */
  async #write(contents: Contents, changes: StateChanges): Promise<Written> {
    const { blocks, nodes } = contents;
    const format = this.#format;
    const counts = { blocks: blocks.size, nodes: nodes.size };
    const byteLength = recordBytes(counts, format);
    await this.#makeRoom(byteLength);
    return await this.#withFile(async () => {
      const position = this.#position;
      this.#position = this.#ring.advance(position, byteLength);
      this.#used += byteLength;
      this.#isBroken = true;
      const state = {
        ...this.#state,
        ...changes,
        generation: this.#state.generation + 1,
        epoch: this.#epoch,
      };
      const what = { position, state, contents };
      const slices = new Slices();
      const next = await writeRecord(this.#ring, what, { format, slices });
      await this.#files.journal.sync();
      this.#isBroken = false;
      return { state: next, byteLength };
    });
  }

  async #makeRoom(byteLength: number): Promise<void> {
    const { size } = this.#ring;
    if (byteLength > size) {
      throw new DeviceError(
        "ENOSPC",
        `Cannot commit ${byteLength} bytes: the journal holds ${size}`,
      );
    }
    if (this.#used + byteLength > size) await this.checkpoint();
    if (this.#used + byteLength <= size) return;
    throw new DeviceError("ENOSPC", "Cannot commit: the journal is full");
  }

  /** The moment from which a commit counts. */
  async #store(written: Written): Promise<void> {
    this.#inDoubt = written;
    await this.#anchor?.store(this.#state, written.state);
    this.#inDoubt = null;
    this.#blocks.commit();
    this.#nodes.commit();
    this.#state = written.state;
    this.#committed += written.byteLength;
    this.#end = this.#ring.advance(this.#end, written.byteLength);
  }

  async #bringToPlace(): Promise<void> {
    this.#checkOpen();
    const state = { ...this.#state, epoch: this.#epoch };
    const end = this.#end;
    const byteLength = this.#committed;
    if (byteLength === 0) return;
    await this.#placeCommitted(() => this.#checkpoint.store(state, end));
    this.#committed -= byteLength;
    this.#used -= byteLength;
  }

  /**
   * Goes on at the present position, with a new epoch: nothing that is in the
   * ring will ever follow the checkpoint.
   */
  async #restart(): Promise<void> {
    while (this.#checkpointing) await this.#checkpointing.catch(() => {});
    this.#checkpointing = this.#beginAnew().finally(() => {
      this.#checkpointing = null;
    });
    await this.#checkpointing;
  }

  async #beginAnew(): Promise<void> {
    const epoch = newEpoch();
    const state = { ...this.#state, epoch };
    const position = this.#position;
    await this.#placeCommitted(() => this.#checkpoint.store(state, position));
    this.#epoch = epoch;
    this.#end = position;
    this.#used = this.#committed = 0;
    this.#isBroken = false;
  }

  /** Steps 4 and 5; `store` is the latter. */
  async #placeCommitted(store: () => Promise<void>): Promise<void> {
    const slices = new Slices();
    const blocks = this.#blocks;
    const nodes = this.#nodes;
    const { image, tree } = this.#files;
    const { blockSize, nodeBytes } = this.#format;
    const leaving = { blocks: blocks.leave(), nodes: nodes.leave() };
    try {
      if (leaving.blocks.size > 0) {
        const how = { file: image, unitBytes: blockSize, slices };
        await placeBlocks(leaving.blocks, how);
      }
      if (tree && leaving.nodes.size > 0) {
        const how = { file: tree, unitBytes: nodeBytes, slices };
        await placeNodes(leaving.nodes, how);
      }
      const syncs = [];
      if (leaving.blocks.size > 0) syncs.push(image.sync());
      if (tree && leaving.nodes.size > 0) syncs.push(tree.sync());
      for (const result of await Promise.allSettled(syncs)) {
        if (result.status === "rejected") throw result.reason;
      }
      await this.#withFile(store);
    } catch (error) {
      blocks.stay();
      nodes.stay();
      throw error;
    }
    blocks.release();
    nodes.release();
  }

  /** Runs `work`, which writes and syncs the journal's file, in its turn. */
  #withFile<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#fileTurn.then(work);
    this.#fileTurn = turn.catch(() => {});
    return turn;
  }

  #checkOpen(): void {
    if (this.#open) return;
    throw new DeviceError("EBADF", "Cannot commit: the journal is closed");
  }
}

function newEpoch(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(16));
}
