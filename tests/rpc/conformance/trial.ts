/**
 * What a case has at hand: a directory of its own, the engine below to make a
 * situation with and to see what came of a request, and the connection.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Attributes, Filesystem } from "../../../fs/mod.ts";
import { Paths, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG } from "../../../fs/mod.ts";
import { type Node, O_RDWR } from "../../../rpc/mod.ts";
import type { Caller } from "./caller.ts";
import type { Actor, Harm, World } from "./world.ts";

/** `i_flags`: cannot be changed. */
export const IMMUTABLE_FL = 0x10;
/** `i_flags`: can only be appended to. */
export const APPEND_FL = 0x20;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes of a text. */
export const bytesOf = (text: string): Uint8Array => encoder.encode(text);
/** The text that bytes are. */
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);

/** What a file is made with. */
export interface Making {
  /** Where; the case's directory if absent. */
  in?: Node;
  /** Permissions. */
  mode?: number;
  /** Owner. */
  uid?: number;
  /** Group. */
  gid?: number;
}

/** See the module. */
export class Trial {
  /** The engine below the server. */
  readonly fs: Filesystem;
  /** The volume, and how to connect to it. */
  readonly world: World;
  /** The case's directory. */
  readonly dir: Node;
  /** Its path, without a slash at its end. */
  readonly path: string;
  /** Who asks. */
  readonly actor: Actor;
  /** The connection that asks. */
  readonly caller: Caller;
  /** What is to be broken before the request is made. */
  readonly harms: Harm[] = [];
  readonly #others: Caller[] = [];
  readonly #opened: number[] = [];

  /** Makes the directory `name`, of the superuser. */
  constructor(
    world: World,
    { name, actor, caller }: { name: string; actor: Actor; caller: Caller },
  ) {
    this.world = world;
    this.fs = world.fs;
    this.actor = actor;
    this.caller = caller;
    this.path = `/${name}`;
    this.dir = this.node(this.fs.mkdir(2, name, { mode: 0o755 }));
  }

  /** The node of an inode number. */
  node(ino: number): Node {
    const { generation } = this.fs.getattr(ino);
    return { ino, generation };
  }

  /** The attributes of a node. */
  stat({ ino }: Node): Attributes {
    return this.fs.getattr(ino);
  }

  /** Makes a regular file. */
  file(
    name: string,
    { data = "", ...making }: Making & { data?: string | Uint8Array } = {},
  ): Node {
    const dir = making.in ?? this.dir;
    const ino = this.fs.create(dir.ino, name, { mode: making.mode ?? 0o644 });
    const bytes = typeof data === "string" ? bytesOf(data) : data;
    if (bytes.length > 0) this.fs.write(ino, 0, bytes);
    return this.#own(ino, making);
  }

  /** Makes a directory. */
  directory(name: string, making: Making = {}): Node {
    const dir = making.in ?? this.dir;
    const ino = this.fs.mkdir(dir.ino, name, { mode: making.mode ?? 0o755 });
    return this.#own(ino, making);
  }

  /** Makes a symbolic link. */
  symlink(name: string, target: string, making: Making = {}): Node {
    const dir = making.in ?? this.dir;
    return this.#own(this.fs.symlink(dir.ino, name, target), making);
  }

  /** Makes a named pipe. */
  fifo(name: string): Node {
    const options = { kind: S_IFIFO, mode: 0o644 };
    return this.node(this.fs.mknod(this.dir.ino, name, options));
  }

  #own(ino: number, { uid, gid }: Making): Node {
    const changes = { ...uid && { uid }, ...gid && { gid } };
    if (uid || gid) this.fs.setattr(ino, changes);
    return this.node(ino);
  }

  /** A node of what has been removed. */
  stale(): Node {
    const node = this.file("removed");
    this.fs.unlink(this.dir.ino, "removed");
    return node;
  }

  /** A directory whose only block has no room for another long name. */
  packed(): Node {
    const dir = this.directory("packed");
    const file = this.file("linked");
    for (let i = 0; this.stat(dir).size === 4096 && i < 15; i++) {
      this.fs.link(file.ino, dir.ino, LONG_NAME.replace("xx", `${10 + i}`));
    }
    return dir;
  }

  /** What a name stands for; null if nothing. */
  find(name: string | Uint8Array, dir = this.dir): Node | null {
    try {
      return this.node(this.fs.lookup(dir.ino, name));
    } catch {
      return null;
    }
  }

  /** What a name stands for, which must be something. */
  get(name: string | Uint8Array, dir = this.dir): Node {
    return this.node(this.fs.lookup(dir.ino, name));
  }

  /** The contents of a file. */
  contents({ ino }: Node): Uint8Array {
    const into = new Uint8Array(this.fs.getattr(ino).size);
    return into.subarray(0, this.fs.read(ino, 0, into));
  }

  /** The contents of a file as text. */
  text(node: Node): string {
    return textOf(this.contents(node));
  }

  /** The names in a directory but `.` and `..`, sorted. */
  names(dir: Node = this.dir): string[] {
    return this.fs.readdir(dir.ino, 0).map(({ name }) => textOf(name))
      .filter((name) => name !== "." && name !== "..").sort();
  }

  /** Opens a file, until the case ends. */
  async open(
    node: Node,
    flags = O_RDWR,
    caller = this.caller,
  ): Promise<number> {
    const { descriptor } = await caller.succeed("open", { node, flags });
    if (caller === this.caller) this.#opened.push(descriptor);
    return descriptor;
  }

  /** Sees to it that a descriptor is closed when the case ends. */
  opened(descriptor: number): void {
    this.#opened.push(descriptor);
  }

  /** Another connection, until the case ends. */
  async connect(
    actor: Actor = this.actor,
    options: { hello?: boolean; maxFrame?: number } = {},
  ): Promise<Caller> {
    const caller = await this.world.connect(actor, options);
    this.#others.push(caller);
    return caller;
  }

  /** Has bytes of an inode, or of one of its blocks, broken. */
  harm(node: Node, at: number, ...bytes: number[]): void {
    this.harms.push({ ino: node.ino, at, bytes: Uint8Array.from(bytes) });
  }

  /** The same, of the node's first block. */
  harmBlock(node: Node, at: number, ...bytes: number[]): void {
    const harm = { ino: node.ino, block: 0, at, bytes: Uint8Array.from(bytes) };
    this.harms.push(harm);
  }

  /** All that is below the case's directory. */
  snapshot(): Map<string, string> {
    const found = new Map<string, string>();
    const visit = (path: string, ino: number): void => {
      const { atime: _, ...attributes } = this.fs.getattr(ino);
      const kind = attributes.mode & S_IFMT;
      found.set(path, JSON.stringify([attributes, this.#inside(ino, kind)]));
      if (kind !== S_IFDIR) return;
      for (const { name, ino: below } of this.fs.readdir(ino, 0)) {
        const text = textOf(name);
        if (text !== "." && text !== "..") visit(`${path}/${text}`, below);
      }
    };
    visit("", this.dir.ino);
    return found;
  }

  /** What an inode holds besides attributes. */
  #inside(ino: number, kind: number): unknown[] {
    const xattrs = this.fs.listxattr(ino).map((name) => {
      return [textOf(name), [...this.fs.getxattr(ino, name)]];
    });
    if (kind !== S_IFREG) return xattrs;
    const into = new Uint8Array(16 * 1024);
    const length = this.fs.read(ino, 0, into);
    return [...xattrs, textOf(into.subarray(0, length))];
  }

  /** Closes what the case has opened, and removes its directory. */
  async end(): Promise<void> {
    for (const descriptor of this.#opened) {
      await this.caller.call("close", { descriptor }).catch(() => {});
    }
    for (const caller of this.#others) await caller.close();
    if (this.fs.readOnly) return;
    this.#thaw(this.dir.ino);
    new Paths(this.fs).removeAll(this.path);
  }

  /** Takes off the flags that keep anything from being removed. */
  #thaw(ino: number): void {
    const { flags, mode } = this.fs.getattr(ino);
    if (flags & (IMMUTABLE_FL | APPEND_FL)) this.fs.setattr(ino, { flags: 0 });
    if ((mode & S_IFMT) !== S_IFDIR) return;
    for (const { name, ino: below } of this.fs.readdir(ino, 0)) {
      if (!/^\.\.?$/.test(textOf(name))) this.#thaw(below);
    }
  }
}

/** A name as long as can be; `xx` makes room for numbers. */
export const LONG_NAME = `xx${"n".repeat(253)}`;

/** A name that is too long by one byte. */
export const TOO_LONG: Uint8Array = new Uint8Array(256).fill(0x61);

/** Asserts that attributes are the same but for the last read's time. */
export function isLike(one: Attributes, other: Attributes): void {
  assert.deepEqual({ ...one, atime: other.atime }, other);
}

/** Asserts that a node is another's. */
export function isSame(one: Node, other: Node): void {
  assert.deepEqual(
    [one.ino, one.generation],
    [other.ino, other.generation],
  );
}
