/**
 * A served volume for the cases of the suite: one device, one transport, and a
 * server for each kind of client.
 *
 * Cases share it, each in a directory of its own. What all of the volume must
 * be for some cases (full, damaged, on a host that fails) it becomes for all
 * of them at once, and is as before when they are done.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import assert from "node:assert/strict";
import type { BlockDevice, DeviceErrorCode } from "../../../bd/block_device.ts";
import { GROUP_DESCRIPTOR } from "../../../fs/block_group.ts";
import { INODE } from "../../../fs/inode.ts";
import { Filesystem, format } from "../../../fs/mod.ts";
import {
  type Endpoint,
  Policy,
  type PolicyRule,
  Server,
  type ServerOptions,
} from "../../../rpc/mod.ts";
import { clientTls, serverTls } from "../../support/certificates.ts";
import { type DeviceStack, StackStore } from "../../support/device_stacks.ts";
import { assertDeviceClean } from "../../support/images.ts";
import { Caller, type CallerOptions } from "./caller.ts";
import { Host } from "./host.ts";
import type { Observed } from "./observed.ts";

/** How clients come in. */
export const TRANSPORTS = ["unix", "tcp", "tls"] as const;
/** One of them. */
export type TransportKind = typeof TRANSPORTS[number];

/**
 * Kinds of clients: the superuser, an ordinary user, one that may only look,
 * one with few of everything, and one that the policy does not admit.
 */
export type Actor = "root" | "user" | "reader" | "strict" | "nobody";

/** Whom the ordinary user acts as. */
export const USER = { uid: 1000, gid: 1000, groups: [1001] };
/** What the strict server's clients may have of each. */
export const STRICT = { descriptors: 2, locks: 2, tables: 1, connections: 2 };

const RULES: Readonly<Record<Actor, Omit<PolicyRule, "match"> | null>> = {
  root: null,
  user: { access: "write", as: USER },
  reader: { access: "read" },
  strict: { access: "write", limits: STRICT },
  nobody: { access: "none" },
};

const BLOCK = 4096;
const SHAPE = { blockSize: BLOCK, blockCount: 2048 };
const CACHE_BYTES = 256 << 10;
/** Blocks that drive all others out of the cache. */
const FILLER_BLOCKS = 3 * CACHE_BYTES / BLOCK;

/** A place of an inode or of a block that is to be damaged, and how. */
export interface Harm {
  /** Inode number. */
  readonly ino: number;
  /** Which of its blocks; the inode itself if absent. */
  readonly block?: number;
  /** Byte in the inode or block. */
  readonly at: number;
  /** What it becomes. */
  readonly bytes: Uint8Array;
}

/** How a world is made. */
export interface WorldOptions {
  /** How clients come in. */
  readonly transport: TransportKind;
  /** Counts the answers. */
  readonly observed: Observed;
  /**
   * True for commits that are stored as a whole or not at all, as far as a
   * device that fails in the end can tell: one that fails refuses changes.
   */
  readonly isAtomic?: boolean;
}

/** Most blocks of a commit that is stored as a whole. */
const COMMIT = { commitBlocksMax: 1024 };

/** See the module. */
export class World {
  /** The engine below the servers. */
  readonly fs: Filesystem;
  /** The host's store. */
  readonly host: Host;
  /** What the servers have logged. */
  readonly log: string[] = [];
  /** Counts the answers of all servers. */
  readonly observed: Observed;
  /** How its clients come in. */
  readonly transport: TransportKind;
  /** True if the device notices what the host has changed. */
  readonly isVerified: boolean;
  readonly #store: StackStore;
  readonly #device: BlockDevice;
  readonly #servers = new Map<Actor, [Server, Endpoint]>();
  readonly #callers = new Map<Actor, Caller>();
  readonly #filler: number;
  private constructor(
    stack: DeviceStack,
    { transport, observed, isAtomic = false }: WorldOptions,
  ) {
    this.transport = transport;
    this.observed = observed;
    this.isVerified = stack.tree !== undefined;
    this.#store = StackStore.create(stack, SHAPE);
    let host: Host | undefined;
    const device = this.#store.open((image) => host = new Host(image));
    this.host = host!;
    this.#device = isAtomic ? new Host(device, COMMIT) : device;
    format(this.#device, { inodeCount: 4096 });
    this.fs = Filesystem.open(this.#device, { cacheSize: CACHE_BYTES });
    // Whatever shares a block with its inode would always be in the cache.
    const around = Array.from({ length: 33 }, (_, i) => {
      return this.fs.create(2, `filler ${i}`);
    });
    this.#filler = around[16];
    this.fs.write(this.#filler, 0, new Uint8Array(FILLER_BLOCKS * BLOCK));
  }

  /** Makes a volume and serves it. */
  static async open(
    stack: DeviceStack,
    options: WorldOptions,
  ): Promise<World> {
    const world = new World(stack, options);
    // What is never made durable could not be told from other damage.
    await world.fs.sync();
    return world;
  }

  /** Where such a client comes in. */
  async #endpoint(actor: Actor): Promise<Endpoint> {
    const [, endpoint] = this.#servers.get(actor) ?? await this.#serve(actor);
    return endpoint;
  }

  async #serve(actor: Actor): Promise<[Server, Endpoint]> {
    const { transport } = this;
    const where = transport === "unix"
      ? `unix:@nextfs-conformance-${crypto.randomUUID()}`
      : `${transport}:127.0.0.1:0`;
    const rule = RULES[actor];
    const policy = rule &&
      Policy.from({ rules: [{ ...rule, match: { socket: where } }] });
    const options: ServerOptions = {
      log: (line) => this.log.push(line),
      ...policy && { policy },
      ...transport === "tls" && { tls: await serverTls() },
    };
    const server = new Server(this.fs, options);
    const serving: [Server, Endpoint] = [server, await server.listen(where)];
    this.#servers.set(actor, serving);
    return serving;
  }

  /** A new connection of such a client; the hello only if asked for. */
  async connect(
    actor: Actor,
    { hello = true, maxFrame }: { hello?: boolean; maxFrame?: number } = {},
  ): Promise<Caller> {
    const endpoint = await this.#endpoint(actor);
    const options: CallerOptions = {
      ...{ observed: this.observed, maxFrame },
      ...this.transport === "tls" && { tls: await clientTls() },
    };
    return await (hello
      ? Caller.connect(endpoint, options)
      : Caller.dial(endpoint, options));
  }

  /** The connection that the cases of such a client share. */
  async caller(actor: Actor): Promise<Caller> {
    const caller = this.#callers.get(actor) ?? await this.connect(actor);
    this.#callers.set(actor, caller);
    return caller;
  }

  /** Stores all that has changed, and has the cache hold something else. */
  async forget(): Promise<void> {
    await this.fs.sync();
    const into = new Uint8Array(FILLER_BLOCKS * BLOCK);
    this.fs.read(this.#filler, 0, into);
    this.fs.read(this.#filler, 0, into);
  }

  /** Has the host fail every read while `fn` runs, or lie where it helps. */
  async unreadable(fn: () => Promise<void>): Promise<void> {
    await this.forget();
    this.host.reads = this.isVerified ? "lies" : "failing";
    try {
      await fn();
    } finally {
      this.host.reads = "sound";
    }
  }

  /** Has the host fail every flush with `code` while `fn` runs. */
  async unflushable<T>(
    code: DeviceErrorCode,
    fn: () => Promise<T>,
  ): Promise<T> {
    this.host.flushes = code;
    try {
      return await fn();
    } finally {
      this.host.flushes = null;
      await this.fs.sync();
    }
  }

  /** Has the volume refuse changes while `fn` runs: a commit has failed. */
  async refusing(fn: () => Promise<void>): Promise<void> {
    await this.unflushable("EIO", async () => {
      await assert.rejects(this.fs.sync());
      await fn();
    });
  }

  /** Has every block that is free taken while `fn` runs. */
  async full(fn: () => Promise<void>): Promise<void> {
    // The second takes what the first cannot: it needs no pointer block.
    const names = ["fill", "fill more"];
    for (const name of names) this.#fill(this.fs.create(2, name));
    assert.equal(this.fs.statfs().blocksFree, 0);
    try {
      await fn();
    } finally {
      for (const name of names) this.fs.unlink(2, name);
      await this.fs.sync();
    }
  }

  /** Writes to a file until the volume is full. */
  #fill(ino: number): void {
    const part = new Uint8Array(64 * BLOCK);
    for (let size = 0, length = part.length; length >= BLOCK;) {
      try {
        size += this.fs.write(ino, size, part.subarray(0, length));
      } catch {
        length /= 2;
      }
    }
  }

  /** Has every inode that is free taken while `fn` runs. */
  async crowded(fn: () => Promise<void>): Promise<void> {
    const count = this.fs.statfs().inodesFree;
    const dir = this.fs.mkdir(2, "crowd");
    for (let i = 1; i < count; i++) this.fs.create(dir, `inode ${i}`);
    assert.equal(this.fs.statfs().inodesFree, 0);
    try {
      await fn();
    } finally {
      for (let i = 1; i < count; i++) this.fs.unlink(dir, `inode ${i}`);
      this.fs.rmdir(2, "crowd");
      await this.fs.sync();
    }
  }

  /** Has structures of the volume broken while `fn` runs. */
  async damaged(
    harms: readonly Harm[],
    fn: () => Promise<void>,
  ): Promise<void> {
    await this.forget();
    const before = harms.map((harm) => this.#harm(harm));
    try {
      await fn();
    } finally {
      await this.forget();
      before.reverse().forEach((harm) => this.#harm(harm));
    }
  }

  /** Puts bytes in a place; returns what undoes it. */
  #harm(harm: Harm): Harm {
    const { block, at } = this.#placeOf(harm);
    const bytes = this.#block(block);
    const before = bytes.slice(at, at + harm.bytes.length);
    bytes.set(harm.bytes, at);
    this.#device.write(block, bytes);
    return { ...harm, bytes: before };
  }

  /** Where a structure is; the volume has one group of blocks. */
  #placeOf({ ino, block, at }: Harm): { block: number; at: number } {
    const { bg_inode_table } = GROUP_DESCRIPTOR;
    const table = bg_inode_table.get(this.#block(1), 0);
    const position = (ino - 1) * 256;
    const inodeBlock = table + Math.floor(position / BLOCK);
    const inodeAt = position % BLOCK;
    if (block === undefined) return { block: inodeBlock, at: inodeAt + at };
    const inode = Buffer.from(this.#block(inodeBlock).buffer);
    const pointer = inodeAt + INODE.i_block.offset + 4 * block;
    return { block: inode.readUInt32LE(pointer), at };
  }

  #block(number: number): Uint8Array {
    const bytes = new Uint8Array(BLOCK);
    this.#device.read(number, bytes);
    return bytes;
  }

  /** Ends the servers and checks what they have left. */
  async close(): Promise<void> {
    for (const caller of this.#callers.values()) await caller.close();
    for (const [server] of this.#servers.values()) await server.stop();
    await this.fs.close();
    await assertDeviceClean(this.#store.plain());
  }
}
