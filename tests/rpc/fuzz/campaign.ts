/**
 * Sessions of clients that say anything, and what must be true of the server
 * all the while.
 *
 * @module
 */

import assert from "node:assert/strict";
import { MemoryDevice } from "../../../bd/memory.ts";
import { type Filesystem, Paths, ROOT_INODE } from "../../../fs/mod.ts";
import { decodeMessage, REQUEST_ITEMS_MAX } from "../../../rpc/codec.ts";
import {
  formatEndpoint,
  type NumberedOperation,
  operationNumbered,
} from "../../../rpc/mod.ts";
import { readFields } from "../../../rpc/wire_types.ts";
import { assertDeviceClean } from "../../support/images.ts";
import { Random } from "../../support/random.ts";
import {
  type Observed,
  outcomeOf,
  outcomesOf,
} from "../conformance/observed.ts";
import { hello, message, RawClient, Served, until } from "../harness.ts";
import { entriesOf, snapshotOf, thaw } from "../snapshot.ts";
import { mutated, mutatedFrames } from "./mutations.ts";
import { recordedSessions } from "./recordings.ts";
import { Guesser, integer, type WireNode } from "./requests.ts";

/** How much is done with a seed, and what is noted. */
export interface FuzzPlan {
  /** What everything comes from. */
  readonly seed: number;
  /** Sessions that ask one thing after the other. */
  readonly orderly: number;
  /** Requests of each of these. */
  readonly requests: number;
  /** Sessions whose bytes were damaged on the way. */
  readonly damaged: number;
  /** Counts the answers. */
  readonly observed: Observed;
}

/** What was done. */
export interface FuzzReport {
  /** Requests of orderly sessions that were answered. */
  answered: number;
  /** Those among them that changed nothing, as they should not. */
  unchanged: number;
  /** Sessions with damage. */
  damaged: number;
}

/** Milliseconds after which an answer does not come any more. */
const PATIENCE = 10_000;
const SHAPE = { blockSize: 4096, blockCount: 4096 };

/** A request in words. */
function described(
  { name }: NumberedOperation,
  items: readonly unknown[],
): string {
  return `${name} ${Deno.inspect(items, { breakLength: Infinity })}`;
}

function isEqual(
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): boolean {
  return one.size === other.size &&
    one.entries().every(([key, value]) => other.get(key) === value);
}

/** Fails, with what it waited for, if an answer does not come. */
async function soon<T>(what: () => string, event: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what()} hangs`)), PATIENCE);
  });
  try {
    return await Promise.race([event, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Some files to begin with. */
function populate(fs: Filesystem): void {
  thaw(fs, ROOT_INODE);
  const top = fs.mkdir(ROOT_INODE, `top ${crypto.randomUUID()}`);
  const names = ["a", "b", "c", "d", "e", "f", "link"];
  for (const { name } of entriesOf(fs, ROOT_INODE)) {
    if (names.includes(new TextDecoder().decode(name))) {
      fs.rename(ROOT_INODE, name, top, name);
    }
  }
  const dir = fs.mkdir(ROOT_INODE, "a");
  fs.mkdir(dir, "c");
  for (const [parent, name] of [[dir, "b"], [ROOT_INODE, "e"]] as const) {
    const ino = fs.create(parent, name, { mode: 0o644 });
    fs.write(ino, 0, new Uint8Array(10_000).fill(5));
    fs.setxattr(ino, "user.x", new Uint8Array(20));
  }
  fs.symlink(ROOT_INODE, "link", "a/b");
}

/** What makes the files of {@link populate} known. */
const FIRST = ["a", "a/b", "e", "link", "a/c", "."].map((path) =>
  [65, [ROOT_INODE, 0], new TextEncoder().encode(path), false] as const
);

/** Holds conversations as planned; rejects with what is wrong. */
export async function fuzz(plan: FuzzPlan): Promise<FuzzReport> {
  const device = new MemoryDevice(SHAPE.blockSize, SHAPE.blockCount);
  const served = await Served.start({
    device,
    maxLocks: 20,
    maxTables: 3,
    tableLifetime: 500,
  });
  const { fs } = served;
  const { inodesFree } = fs.statfs();
  const report = { answered: 0, unchanged: 0, damaged: 0 };
  const endpoints = served.endpoints.map(formatEndpoint);
  const recorded = await recordedSessions(served.endpoints[0]);
  const random = new Random(plan.seed);
  for (let i = 0; i < plan.orderly; i++) {
    const endpoint = random.pick(endpoints);
    await new Orderly(served, random, plan, report).hold(endpoint);
  }
  for (let i = 0; i < plan.damaged; i++) {
    const nodes = nodesOf(fs);
    const options = { random, recorded, nodes, observed: plan.observed };
    await sendDamaged(random.pick(endpoints), options);
    report.damaged++;
  }
  await until(() => served.server.connections === 0);
  // What a client cannot be told would be a defect of the server.
  assert.deepEqual(served.log, []);
  empty(fs);
  await until(() => fs.statfs().inodesFree === inodesFree);
  await served[Symbol.asyncDispose]();
  await assertDeviceClean(device);
  return report;
}

/** Removes all that sessions have left, and what a checker made of it. */
function empty(fs: Filesystem): void {
  thaw(fs, ROOT_INODE);
  const paths = new Paths(fs);
  for (const { name } of entriesOf(fs, ROOT_INODE)) {
    // Names may be any bytes.
    fs.rename(ROOT_INODE, name, ROOT_INODE, "removed");
    paths.removeAll("/removed");
  }
  fs.mkdir(ROOT_INODE, "lost+found", { mode: 0o700 });
}

/** What there is at a time. */
interface Seen {
  readonly tree: ReadonlyMap<string, string>;
  readonly inodesFree: number;
}

/** A session that asks one thing after the other, and looks at the answers. */
class Orderly {
  readonly #fs: Filesystem;
  readonly #random: Random;
  readonly #plan: FuzzPlan;
  readonly #report: FuzzReport;
  readonly #guesser: Guesser;
  #lastId = 1;
  #before: Seen | null = null;

  constructor(
    served: Served,
    random: Random,
    plan: FuzzPlan,
    report: FuzzReport,
  ) {
    this.#fs = served.fs;
    this.#random = random;
    this.#plan = plan;
    this.#report = report;
    this.#guesser = new Guesser(random);
  }

  /** Holds one conversation. */
  async hold(endpoint: string): Promise<void> {
    populate(this.#fs);
    const client = await RawClient.greet(endpoint);
    for (const items of FIRST) {
      const id = ++this.#lastId;
      await client.send(message(id, ...items));
      this.#guesser.learn(await this.#answer(client, id));
    }
    this.#before = this.#seen();
    for (let i = 0; i < this.#plan.requests; i++) {
      const [operation, items] = this.#guesser.request();
      const id = ++this.#lastId;
      await client.send(message(id, operation.number, ...items));
      const reply = await soon(
        () => described(operation, items),
        this.#answer(client, id),
      );
      this.#judge(operation, items, reply);
    }
    if (this.#random.chance(0.5)) {
      await client.send(message(++this.#lastId, 92));
      await soon(() => "goodbye", client.receive());
    }
    client.close();
  }

  /** The reply to `id`, which may wait for what only this client can do. */
  async #answer(client: RawClient, id: number): Promise<unknown[]> {
    const cancel = ++this.#lastId;
    await client.send(message(cancel, 93, integer(id)));
    let reply: unknown[] | null = null;
    for (let open = 2; open > 0; open--) {
      const received = await client.receive();
      assert.notEqual(received, null, "the connection has ended");
      if (received![0] === id) reply = received;
      else assert.equal(received![0], cancel);
    }
    return reply!;
  }

  /** What there is, and whether all of it is free that should be. */
  #seen(): Seen {
    const { inodesFree } = this.#fs.statfs();
    return { tree: snapshotOf(this.#fs), inodesFree };
  }

  #judge(
    operation: NumberedOperation,
    items: readonly unknown[],
    [, status, ...results]: readonly unknown[],
  ): void {
    this.#report.answered++;
    const outcome = outcomeOf(status as number);
    this.#plan.observed.note(operation.name, outcome);
    const what = (): string => `${described(operation, items)}: ${outcome}`;
    if (outcome === "ok") {
      readFields(operation.results, operation.resultNames, results, 0);
      this.#guesser.learn(results);
      if (operation.name === "compound") this.#noteSteps(items, results);
    }
    const before = this.#before!;
    const after = this.#before = this.#seen();
    // Removing many things is many changes, of which some may be refused.
    const isMany = operation.name === "dir_rm" || operation.name === "compound";
    if (isMany || outcome === "ok" && operation.mutates) return;
    this.#report.unchanged++;
    // Others' files may go meanwhile, when their connections have ended.
    const isFree = after.inodesFree >= before.inodesFree;
    if (isFree && isEqual(after.tree, before.tree)) return;
    assert.deepEqual(after, before, what());
  }

  #noteSteps(items: readonly unknown[], results: readonly unknown[]): void {
    const steps = items[0] as [number][];
    const replies = results[0] as [number, ...unknown[]][];
    replies.forEach(([status, ...rest], i) => {
      this.#plan.observed.noteNumber(steps[i][0], status);
      if (status === 0) this.#guesser.learn(rest);
    });
  }
}

/** What damaged sessions are made of. */
export interface DamageOptions {
  /** Where everything comes from. */
  readonly random: Random;
  /** What real clients have sent. */
  readonly recorded: readonly Uint8Array[][];
  /** Files that there are; none if absent. */
  readonly nodes?: readonly WireNode[];
  /** Counts the answers. */
  readonly observed: Observed;
}

/** Holds a conversation whose bytes were damaged; it may end at any time. */
export async function sendDamaged(
  endpoint: string,
  { random, recorded, nodes = [], observed }: DamageOptions,
): Promise<void> {
  const frames = random.chance(0.5)
    ? mutatedFrames(random, random.pick(recorded))
    : guessedFrames(random, nodes);
  const asked = operationsOf(frames);
  const client = await RawClient.connect(endpoint);
  const sending = (async (): Promise<void> => {
    await client.send(...frames);
    await client.closeWrite();
  })().catch(() => {});
  const answers = (async (): Promise<void> => {
    for (;;) {
      const reply = await client.receive();
      if (reply === null) return;
      noteReply(observed, asked, reply as [number, number]);
    }
  })();
  await soon(() => "a damaged session", answers);
  await soon(() => "sending", sending);
  client.close();
}

/** Some of the files that there are. */
function nodesOf(fs: Filesystem): WireNode[] {
  return entriesOf(fs, ROOT_INODE).map(({ ino }) => {
    return [ino, fs.getattr(ino).generation];
  });
}

/** Requests at random, some of them with damage. */
function guessedFrames(
  random: Random,
  nodes: readonly WireNode[],
): Uint8Array[] {
  const guesser = new Guesser(random);
  guesser.nodes.push(...nodes);
  const frames = [hello()];
  for (let id = 2; id < 20; id++) {
    const [{ number }, items] = guesser.request();
    const whole = message(id, number, ...items);
    frames.push(random.chance(0.8) ? whole : mutated(random, whole));
  }
  return random.chance(0.5) ? frames : mutatedFrames(random, frames);
}

/** The operations of each id, of those frames that can be understood. */
function operationsOf(
  frames: readonly Uint8Array[],
): Map<number, NumberedOperation[]> {
  const found = new Map<number, NumberedOperation[]>();
  const bytes = Uint8Array.from(frames.flatMap((frame) => [...frame]));
  const view = new DataView(bytes.buffer);
  for (let at = 0; at + 4 <= bytes.length;) {
    const end = at + 4 + view.getUint32(at);
    try {
      const body = bytes.slice(at + 4, end);
      const [id, number] = decodeMessage(body, REQUEST_ITEMS_MAX);
      const list = found.get(id) ?? [];
      const operation = operationNumbered(number);
      if (operation) found.set(id, [...list, operation]);
    } catch {
      // It has no id, and its answer has none.
    }
    at = end;
  }
  return found;
}

/** A message of a client that has said no hello, or two, ends it all. */
const PROTOCOL_ERRORS = new Set(["EPROTO"]);

/** Takes note of an answer that one of the requests with its id may have. */
function noteReply(
  observed: Observed,
  asked: ReadonlyMap<number, readonly NumberedOperation[]>,
  [id, status]: readonly [number, number],
): void {
  const outcome = outcomeOf(status);
  const operations = asked.get(id) ?? [];
  if (operations.length === 0 || PROTOCOL_ERRORS.has(outcome)) return;
  const fitting = operations.find(({ name }) => outcomesOf(name).has(outcome));
  observed.note((fitting ?? operations[0]).name, outcome);
}
