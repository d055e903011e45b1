/**
 * A client that changes its own directory without a pause, and keeps account
 * of what it was told.
 *
 * @module
 */

import {
  type Client,
  connect,
  DisconnectedError,
  type Node,
  O_DSYNC,
  O_RDWR,
} from "../../rpc/mod.ts";
import type { Random } from "../support/random.ts";
import { Contents, type State, States } from "./kill_states.ts";

/** Names of files in each directory, few enough to meet again. */
const NAMES = ["a", "b", "c", "d", "e", "f"];
const DIRECTORIES = ["p", "q"];
const SIZE_MAX = 60_000;
const WRITE_MAX = 20_000;
const OPEN_MAX = 6;
const IN_FLIGHT = 4;

const encoder = new TextEncoder();

/** An open file, by the path that it has; null if it has none any more. */
interface OpenFile {
  descriptor: number;
  node: Node;
  path: string | null;
  /** Whether its writes are durable when they are answered. */
  durable: boolean;
}

/** See the module. */
export class KillClient {
  /** Its directory, in the root. */
  readonly directory: string;
  /** What its directory may be. */
  readonly states = new States(new Map());
  /** How often it was told that its changes are durable. */
  acknowledged = 0;
  readonly #random: Random;
  readonly #all: readonly KillClient[];
  readonly #running = new Set<Promise<void>>();
  #client: Client | null = null;
  #directories = new Map<string, Node>();
  #open: OpenFile[] = [];
  /** Paths of files that are being created. */
  readonly #creating = new Set<string>();
  #failure: unknown = null;

  /** A client of its own name, one of `all`, into which it is put. */
  constructor(name: string, all: KillClient[], random: Random) {
    this.directory = name;
    this.#all = all;
    this.#random = random;
    all.push(this);
  }

  /** Connects; its directory is there, and is as the last state says. */
  async connect(endpoint: string): Promise<void> {
    const client = await connect(endpoint);
    this.#client = client;
    this.#open = [];
    this.#creating.clear();
    this.#directories = new Map();
    const node = async (path: string): Promise<Node> => {
      const { attributes } = await client.call("resolve", {
        ...{ dir: client.root, path: encoder.encode(path), follow: false },
      });
      return attributes;
    };
    this.#directories.set("", await node(this.directory));
    for (const [path, contents] of this.states.last) {
      if (contents) continue;
      this.#directories.set(path, await node(`${this.directory}/${path}`));
    }
  }

  /** Changes its directory until the connection ends. */
  async run(): Promise<void> {
    while (!this.#client!.ended && this.#failure === null) {
      this.#step();
      if (this.#running.size >= IN_FLIGHT) await Promise.race(this.#running);
    }
    await Promise.all(this.#running);
    await this.#client!.close();
    if (this.#failure !== null) throw this.#failure;
  }

  /** Asks for one thing, and does not wait for it. */
  #step(): void {
    const random = this.#random;
    const steps: [number, () => void][] = [
      [30, () => this.#write()],
      [20, () => this.#create()],
      [12, () => this.#rename()],
      [12, () => this.#unlink()],
      [5, () => this.#truncate()],
      [4, () => this.#makeDirectory()],
      [4, () => this.#removeDirectory()],
      [5, () => this.#close()],
      [8, () => this.#sync()],
    ];
    let at = random.below(100);
    for (const [weight, step] of steps) {
      at -= weight;
      if (at < 0) return step();
    }
  }

  /** Keeps account of a call, which nobody waits for. */
  #start(call: Promise<unknown>, then: () => void): void {
    const running: Promise<void> = call.then(then, (error) => {
      if (!(error instanceof DisconnectedError)) this.#failure ??= error;
    }).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** A change that makes `state`. */
  #change(
    state: State,
    call: Promise<unknown>,
    then: (number: number) => void = () => {},
  ): void {
    const number = this.states.ask(state);
    this.#start(call, () => {
      this.states.answer(number);
      then(number);
    });
  }

  #next(): Map<string, Contents | null> {
    return new Map(this.states.last);
  }

  #place(path: string): { dir: Node; name: Uint8Array } {
    const [, parent, name] = /^(?:(.*)\/)?([^/]+)$/.exec(path)!;
    return {
      dir: this.#directories.get(parent ?? "")!,
      name: encoder.encode(name),
    };
  }

  /** A path of a file, there or not, in a directory that is there. */
  #anyPath(): string {
    const parent = this.#random.pick([...this.#directories.keys()]);
    const name = this.#random.pick(NAMES);
    return parent ? `${parent}/${name}` : name;
  }

  /** A file that is there; undefined if there is none. */
  #aFile(): string | undefined {
    const files = [...this.states.last]
      .filter(([path, contents]) => contents && !this.#creating.has(path))
      .map(([path]) => path);
    return files.length > 0 ? this.#random.pick(files) : undefined;
  }

  /** What had the path has it no more; it may be open still. */
  #lose(path: string): void {
    for (const file of this.#open) if (file.path === path) file.path = null;
  }

  #create(): void {
    const path = this.#anyPath();
    if (this.states.last.has(path)) return;
    if (this.#open.length + this.#creating.size >= OPEN_MAX) {
      return this.#close();
    }
    const durable = this.#random.chance(0.2);
    const flags = O_RDWR | (durable ? O_DSYNC : 0);
    const made = this.#client!.call("create", {
      ...{ ...this.#place(path), mode: 0o644, flags },
    });
    this.#creating.add(path);
    const state = this.#next().set(path, new Contents(new Uint8Array(0)));
    const opened = made.then(({ descriptor, attributes: node }) => {
      this.#creating.delete(path);
      this.#open.push({ descriptor, node, path, durable });
    });
    this.#change(state, opened);
  }

  #write(): void {
    if (this.#open.length === 0) return this.#create();
    const random = this.#random;
    const file = random.pick(this.#open);
    const data = random.bytes(1 + random.below(WRITE_MAX));
    const size = file.path === null
      ? 0
      : this.states.last.get(file.path)!.bytes.length;
    const offset = random.chance(0.5)
      ? Math.min(size, SIZE_MAX)
      : random.below(Math.min(size + 10_000, SIZE_MAX));
    const { descriptor, durable, path } = file;
    const call = this.#client!.call("write", { descriptor, offset, data });
    const state = this.#next();
    if (path !== null) state.set(path, state.get(path)!.with(offset, data));
    this.#change(state, call, (number) => {
      if (!durable) return;
      this.acknowledged++;
      this.states.makeDurable(number);
    });
  }

  #truncate(): void {
    const file = this.#open.find(({ path }) => path !== null);
    if (!file?.path) return;
    const size = this.#random.below(SIZE_MAX);
    const { path, node } = file;
    const contents = this.states.last.get(path)!.resized(size);
    const call = this.#client!.call("setattr", { node, changes: { size } });
    this.#change(this.#next().set(path, contents), call);
  }

  #rename(): void {
    const from = this.#aFile();
    const to = this.#anyPath();
    if (from === undefined || from === to || this.#creating.has(to)) return;
    const [source, target] = [this.#place(from), this.#place(to)];
    const call = this.#client!.call("rename", {
      ...{ fromDir: source.dir, fromName: source.name },
      ...{ toDir: target.dir, toName: target.name, noReplace: false },
    });
    const state = this.#next().set(to, this.states.last.get(from)!);
    state.delete(from);
    this.#lose(to);
    for (const file of this.#open) if (file.path === from) file.path = to;
    this.#change(state, call);
  }

  #unlink(): void {
    const path = this.#aFile();
    if (path === undefined) return;
    const call = this.#client!.call("unlink", this.#place(path));
    const state = this.#next();
    state.delete(path);
    this.#lose(path);
    this.#change(state, call);
  }

  #makeDirectory(): void {
    const path = this.#random.pick(DIRECTORIES);
    if (this.states.last.has(path)) return;
    const args = { ...this.#place(path), mode: 0o755 };
    const call = this.#client!.call("mkdir", args);
    // Nothing is put into it before its node is known.
    const made = call.then(({ attributes }) => {
      this.#directories.set(path, attributes);
    });
    this.#change(this.#next().set(path, null), made);
  }

  #removeDirectory(): void {
    const path = this.#random.pick(DIRECTORIES);
    if (!this.#directories.has(path)) return;
    const state = this.#next();
    const isEmpty = ![...state.keys()].some((one) =>
      one.startsWith(`${path}/`)
    );
    if (!isEmpty) return;
    const call = this.#client!.call("rmdir", this.#place(path));
    this.#directories.delete(path);
    state.delete(path);
    this.#change(state, call);
  }

  /** Closes one of the open files, perhaps the last that keeps it. */
  #close(): void {
    const [file] = this.#open.splice(this.#random.below(OPEN_MAX), 1);
    if (!file) return;
    const { descriptor } = file;
    this.#start(this.#client!.call("close", { descriptor }), () => {});
  }

  /** Asks for its changes to be durable, in one of the ways there are. */
  #sync(): void {
    const client = this.#client!;
    const file = this.#open.at(-1);
    const way = this.#random.pick(["fsync", "fdatasync", "sync"] as const);
    const call = way === "sync" || !file
      ? client.call("sync", {})
      : client.call(way, { descriptor: file.descriptor });
    // What it asked for before, answered or not; and what others were told.
    const marks = this.#all.map(({ states }): [States, number] => [
      states,
      states === this.states ? states.asked : states.answered,
    ]);
    this.#start(call, () => {
      this.acknowledged++;
      for (const [states, number] of marks) states.makeDurable(number);
    });
  }
}
