/**
 * A journal over files in memory, of which a crash leaves what was synced.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers";
import { DeviceError } from "../../bd/block_device.ts";
import type { ByteFile } from "../../bd/byte_file.ts";
import { createHmac, createPlainHash } from "../../bd/hmac.ts";
import { createJournal, RING_START } from "../../bd/journal/checkpoint.ts";
import { Journal } from "../../bd/journal/journal.ts";
import type { RecordFormat } from "../../bd/journal/record.ts";
import type { Identity } from "../../bd/journal/recover.ts";
import type { VolumeState } from "../../bd/journal/state.ts";
import { MemoryFile } from "../../bd/memory_file.ts";
import { ANCHOR_BYTES, FileAnchor } from "../../bd/volume/anchor.ts";

/** `length` bytes, all of them `fill`. */
export function filled(length: number, fill: number): Uint8Array {
  return new Uint8Array(length).fill(fill);
}

/** Size of a block, in bytes. */
export const BLOCK = 1024;
/** Size of a node, in bytes. */
export const NODE = 32;
/** Number of blocks. */
export const BLOCK_COUNT = 100;
/** Size of the ring, in bytes: a commit may hold nine blocks. */
export const RING_BYTES = 32 << 10;
/** The key of journal and anchor. */
export const KEY: Uint8Array = Uint8Array.from({ length: 32 }, (_, i) => i);

/** The volume that the journal is of. */
export const IDENTITY: Identity = {
  id: filled(16, 0x11),
  blockSize: BLOCK,
  leafCount: BLOCK_COUNT,
  rootBytes: 32,
};

/** The state of a new volume. */
export const FIRST: VolumeState = {
  blockSize: BLOCK,
  id: IDENTITY.id,
  epoch: filled(16, 0x22),
  generation: 7,
  leafCount: BLOCK_COUNT,
  root: filled(32, 0x33),
  descriptor: filled(32, 0x44),
  nextDescriptor: new Uint8Array(32),
  unfinished: 0,
  chain: new Uint8Array(32),
};

/** How records are made, with a key or without; its `mac` is a new one. */
export function formatOf(isKeyed: boolean = true): RecordFormat {
  return {
    mac: isKeyed ? createHmac("sha256", KEY) : createPlainHash("sha256"),
    isKeyed,
    blockSize: BLOCK,
    nodeBytes: NODE,
  };
}

/** The files of a specimen. */
export const FILES = ["journal", "image", "tree", "anchor"] as const;
/** One of them. */
export type FileName = (typeof FILES)[number];

/** A call of the host that a rule decides on. */
export interface HostCall {
  /** Which file it is of. */
  readonly name: FileName;
  /** What is asked of it. */
  readonly kind: "write" | "sync";
  /** 1 for the first call of all that are not reads. */
  readonly ordinal: number;
}

/** What a file asks the host. */
interface Host {
  /** Throws if a call fails. */
  admit(kind: HostCall["kind"]): void;
  /** Resolves when a sync may go on. */
  wait(): Promise<void>;
}

/** A file in memory, of which only what was synced outlives a crash. */
class DiskFile extends MemoryFile {
  /** What a crash leaves. */
  readonly durable: Uint8Array;
  readonly #host: Host;
  #unsynced: { at: number; bytes: Uint8Array }[] = [];

  constructor(bytes: Uint8Array, host: Host) {
    super(bytes);
    this.durable = bytes.slice();
    this.#host = host;
  }

  override writeAt(position: number, from: Uint8Array): void {
    let count = from.length;
    try {
      this.#host.admit("write");
    } catch (error) {
      count >>= 1;
      throw error;
    } finally {
      const bytes = from.slice(0, count);
      super.writeAt(position, bytes);
      this.#unsynced.push({ at: position, bytes });
    }
  }

  /** Loses what was not synced if it fails, and never says so again. */
  override async sync(): Promise<void> {
    const writes = this.#unsynced;
    this.#unsynced = [];
    // Time in which others can do something.
    await new Promise<void>((resolve) => setImmediate(resolve));
    await this.#host.wait();
    this.#host.admit("sync");
    for (const { at, bytes } of writes) this.durable.set(bytes, at);
  }
}

/** How a specimen is opened. */
export interface OpenJournal {
  /** Whether the anchor is used; true if absent. */
  readonly isAnchored?: boolean;
  /** A generation to go back to. */
  readonly acceptRollback?: number;
  /** Whether there is a key; true if absent. */
  readonly isKeyed?: boolean;
  /** Refuse writes. */
  readonly readOnly?: boolean;
}

/** The four files of a volume with a journal. */
export class JournalSpecimen {
  /** Decides which call of the host fails; null for none. */
  rule: ((call: HostCall) => boolean) | null = null;
  /** Makes a sync of this file wait; null for none. */
  hold: { readonly name: FileName; readonly until: Promise<void> } | null =
    null;
  /** Calls so far that were not reads. */
  calls = 0;
  readonly #files: Readonly<Record<FileName, DiskFile>>;

  private constructor(contents: Readonly<Record<FileName, Uint8Array>>) {
    const open = (name: FileName): DiskFile =>
      new DiskFile(contents[name], {
        admit: (kind) => {
          const call = { name, kind, ordinal: ++this.calls };
          if (!this.rule?.(call)) return;
          const what = `Cannot ${kind} ${name}`;
          throw new DeviceError("EIO", `${what}: injected fault`);
        },
        wait: async () => {
          if (this.hold?.name === name) await this.hold.until;
        },
      });
    this.#files = {
      journal: open("journal"),
      image: open("image"),
      tree: open("tree"),
      anchor: open("anchor"),
    };
  }

  /** Makes one in the state {@link FIRST}, of zeros. */
  static async make(
    { isKeyed = true, ringBytes = RING_BYTES }: {
      isKeyed?: boolean;
      ringBytes?: number;
    } = {},
  ): Promise<JournalSpecimen> {
    const specimen = new JournalSpecimen({
      journal: new Uint8Array(RING_START + ringBytes),
      image: new Uint8Array(BLOCK_COUNT * BLOCK),
      tree: new Uint8Array(4 * BLOCK_COUNT * NODE),
      anchor: new Uint8Array(ANCHOR_BYTES),
    });
    const { journal, anchor } = specimen.#files;
    await createJournal(journal, formatOf(isKeyed), FIRST);
    (await FileAnchor.create(anchor, KEY, FIRST)).close();
    specimen.calls = 0;
    return specimen;
  }

  /** What the host has of a file now, to look at and to change. */
  bytes(name: FileName): Uint8Array {
    return this.#files[name].bytes;
  }

  /** What a crash would leave of it all now. */
  crashed(): JournalSpecimen {
    return this.#copy((file) => file.durable);
  }

  /** A copy of what the host has now. */
  copy(): JournalSpecimen {
    return this.#copy((file) => file.bytes);
  }

  /** A copy, with other bytes in place of a file's. */
  with(name: FileName, bytes: Uint8Array): JournalSpecimen {
    const { journal, image, tree, anchor } = this.copy().#files;
    const contents = {
      journal: journal.bytes,
      image: image.bytes,
      tree: tree.bytes,
      anchor: anchor.bytes,
    };
    return new JournalSpecimen({ ...contents, [name]: bytes.slice() });
  }

  #copy(bytesOf: (file: DiskFile) => Uint8Array): JournalSpecimen {
    const { journal, image, tree, anchor } = this.#files;
    return new JournalSpecimen({
      journal: bytesOf(journal).slice(),
      image: bytesOf(image).slice(),
      tree: bytesOf(tree).slice(),
      anchor: bytesOf(anchor).slice(),
    });
  }

  /** Opens the journal. */
  async open(options: OpenJournal = {}): Promise<Journal> {
    const { isAnchored = true, isKeyed = true, readOnly = false } = options;
    const file = (name: FileName): ByteFile =>
      readOnly ? new Shared(this.#files[name]) : this.#files[name];
    const anchor = isAnchored ? FileAnchor.open(file("anchor"), KEY) : null;
    return await Journal.open({
      journal: file("journal"),
      image: file("image"),
      tree: file("tree"),
    }, {
      format: formatOf(isKeyed),
      identity: IDENTITY,
      anchor,
      acceptRollback: options.acceptRollback,
    });
  }
}

/** A file that is only read. */
class Shared implements ByteFile {
  readonly readOnly = true;
  readonly size: number;

  constructor(readonly next: ByteFile) {
    this.size = next.size;
  }

  readAt(position: number, into: Uint8Array): void {
    this.next.readAt(position, into);
  }

  writeAt(): void {
    throw new DeviceError("EROFS", "Cannot write: read-only");
  }

  sync(): Promise<void> {
    return Promise.reject(new DeviceError("EROFS", "Cannot sync: read-only"));
  }

  close(): void {}
}

/** Writes to a journal: blocks, and nodes, by their numbers. */
export function writeAll(
  { image, tree }: Journal,
  fills: Readonly<Record<number, number>>,
): void {
  for (const [number, fill] of Object.entries(fills)) {
    image.write(Number(number), filled(BLOCK, fill));
    tree!.writeAt(Number(number) * NODE, filled(NODE, fill));
  }
}

/** What a journal has of the blocks that are not zeros, checked by nodes. */
export function readAll({ image, tree }: Journal): Record<number, number> {
  const fills: Record<number, number> = {};
  image.read(0, BLOCKS);
  tree!.readAt(0, NODES);
  for (let i = 0; i < BLOCK_COUNT; i++) {
    const fill = BLOCKS[i * BLOCK];
    if (fill !== 0) fills[i] = fill;
    EXPECTED_BLOCKS.fill(fill, i * BLOCK, (i + 1) * BLOCK);
    EXPECTED_NODES.fill(fill, i * NODE, (i + 1) * NODE);
  }
  const isWhole = Buffer.compare(BLOCKS, EXPECTED_BLOCKS) === 0 &&
    Buffer.compare(NODES, EXPECTED_NODES) === 0;
  if (!isWhole) throw new Error("a block is torn, or not that of its node");
  return fills;
}

const [BLOCKS, EXPECTED_BLOCKS] = [0, 0].map((fill) =>
  filled(BLOCK_COUNT * BLOCK, fill)
);
const [NODES, EXPECTED_NODES] = [0, 0].map((fill) =>
  filled(BLOCK_COUNT * NODE, fill)
);
