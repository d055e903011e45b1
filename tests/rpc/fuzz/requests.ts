/**
 * Requests at random: of the shape that the table of operations has, with
 * arguments that mostly make sense, for what earlier replies have told of.
 *
 * @module
 */

import {
  type NumberedOperation,
  OPERATION_LIST,
  STEPS_MAX,
} from "../../../rpc/mod.ts";
import type { Random } from "../../support/random.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Names that are used again and again. */
const NAMES = [
  ...["a", "b", "c", "d", "e", "f", "lost+found", ".", ".."],
  ...["n".repeat(255), "\xff\xfe", "link", "a/b", "nul\0"],
].map(bytesOf);
const PATHS = [
  ...["/", "a", "/a", "a/b", "/a/b/c", "../..", "/b/../a", "c/", "link"],
  ...["link/a", "/mnt", "/mnt/a", "", "//a//b", "d/e/f", "/e"],
].map(bytesOf);
const XATTRS = ["user.x", "user.y", "trusted.x", "security.x", "other.x"]
  .concat("system.posix_acl_access", "system.posix_acl_default", "user.")
  .map(bytesOf);
const FLAGS = [
  ...[0, 0, 1, 2, 2, 0o2002, 0o1002, 0o1001, 0o202, 0o200000, 0o400000],
  ...[0o100, 0o102, 0o302, 0o1102, 0o4010002, 0o10002, 3, 0o77777777],
];
const MODES = [
  ...[0o644, 0o755, 0o600, 0o4755, 0o1777, 0o10644, 0o140600, 0o20666],
  ...[0o60600, 0o100644, 0o40755, 0xffff],
];
const NUMBERS = [
  ...[0, 0, 1, 2, 5, 10, 100, 1000, 4095, 4096, 4097, 10_000, 65_536],
  ...[70_000, 50_000_000, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 41, 2 ** 45],
  2 ** 53 - 1,
];
const MOUNT_NAMES = ["nextfs", "other", "", "x".repeat(64), "third"];
const MODE_NAMES = ["r", "w", "a", "r+", "w+", "a+b", "rb", "x", ""];
/** What no argument may be. */
const WRONG: readonly unknown[] = [
  ...[null, "text", -1, [], [[]], true, new Uint8Array(300), 2 ** 31],
  ...[[1], [1, 2, 3], "x".repeat(100)],
];

/** Operations that end a conversation, or say that it begins. */
const ENDING = new Set(["hello", "goodbye"]);

/** A node on the wire. */
export type WireNode = readonly [ino: number, generation: number];

/** See the module. */
export class Guesser {
  /** Nodes that replies have told of. */
  readonly nodes: WireNode[] = [];
  /** Descriptors that replies have told of. */
  readonly descriptors: number[] = [];
  /** Ids of tables that were forked. */
  readonly forks: Uint8Array[] = [];
  readonly #random: Random;

  /** Guesses with `random`. */
  constructor(random: Random) {
    this.#random = random;
  }

  /** An operation, and arguments for it as CBOR has them. */
  request(
    isWanted: (operation: NumberedOperation) => boolean = () => true,
  ): readonly [operation: NumberedOperation, items: unknown[]] {
    const operation = this.#random.pick(
      OPERATION_LIST.filter((one) => !ENDING.has(one.name) && isWanted(one)),
    );
    return [operation, this.#items(operation)];
  }

  /** Takes note of what a reply tells, whatever it is the reply to. */
  learn(results: readonly unknown[]): void {
    for (const value of results) {
      if (value instanceof Uint8Array && value.length === 32) {
        this.forks.push(value);
      } else if (typeof value === "number" && value > 0 && value < 10_000) {
        this.descriptors.push(value);
      } else if (Array.isArray(value)) this.#learnNodes(value);
    }
    for (const list of [this.nodes, this.descriptors, this.forks]) {
      if (list.length > 20) list.splice(0, list.length - 12);
    }
  }

  #learnNodes(value: readonly unknown[]): void {
    const [ino, generation, mode] = value;
    if ([ino, generation, mode].every((one) => typeof one === "number")) {
      this.nodes.push([ino as number, generation as number]);
    } else {
      for (const one of value) if (Array.isArray(one)) this.#learnNodes(one);
    }
  }

  #items({ arguments: types, argumentNames }: NumberedOperation): unknown[] {
    const random = this.#random;
    const items = argumentNames.map((name) =>
      random.chance(0.02)
        ? random.pick(WRONG)
        : this.#value(types[name].description)
    );
    if (random.chance(0.01)) items.push(random.pick(WRONG));
    if (random.chance(0.01)) items.pop();
    return items;
  }

  #value(description: string): unknown {
    const random = this.#random;
    switch (description) {
      case "node":
        return this.#node();
      case "name":
        return random.pick(NAMES);
      case "path":
        return random.pick(PATHS);
      case "xattr name":
        return random.pick(XATTRS);
      case "descriptor":
        return random.chance(0.8) && this.descriptors.length > 0
          ? random.pick(this.descriptors)
          : random.below(4);
      case "flags":
        return random.pick(FLAGS);
      case "mode":
      case "permissions":
        return random.pick(MODES);
      case "bool":
        return random.chance(0.5);
      case "timestamp":
        return this.#time();
      case "device":
        return [random.below(3), random.below(3)];
      case "changes":
        return this.#changes();
      case "text ≤ 64":
        return random.pick(MOUNT_NAMES);
      case "text ≤ 4":
        return random.pick(MODE_NAMES);
      case "bytes 32":
        return random.chance(0.8) && this.forks.length > 0
          ? random.pick(this.forks)
          : random.bytes(32);
      default:
        return this.#longer(description);
    }
  }

  #longer(description: string): unknown {
    const random = this.#random;
    if (description.endsWith("× step")) return this.#steps();
    if (description.endsWith("× name")) {
      return Array.from({ length: random.below(5) }, () => random.pick(NAMES));
    }
    if (description.startsWith("bytes")) {
      return random.bytes(random.pick([0, 1, 5, 100, 4096, 5000, 20_000]));
    }
    const range = /^int (\d+)…(\d+)$/.exec(description);
    if (range && random.chance(0.9)) {
      const [least, most] = [Number(range[1]), Number(range[2])];
      return integer(least + random.below(Math.min(most - least + 1, 9000)));
    }
    const flags = description === "uint32" && random.chance(0.5);
    return integer(random.pick(flags ? FLAGS : NUMBERS));
  }

  #node(): unknown {
    const random = this.#random;
    if (random.chance(0.8) && this.nodes.length > 0) {
      return random.pick(this.nodes);
    }
    return random.pick([[2, 0], [2, 0], [0, 0], [11, 0], [12, 1], [7, 0]]);
  }

  #time(): unknown {
    const sec = this.#random.pick([0, 5, -5, 2 ** 31, 2 ** 40, 2 ** 52]);
    return [integer(sec), this.#random.below(1_000_000_000)];
  }

  #changes(): unknown[] {
    const random = this.#random;
    const maybe = (make: () => unknown): unknown =>
      random.chance(0.25) ? make() : null;
    return [
      maybe(() => random.pick(MODES) & 0o7777),
      maybe(() => random.below(3)),
      maybe(() => random.below(70_000)),
      maybe(() => integer(random.pick(NUMBERS))),
      maybe(() => random.chance(0.5) || this.#time()),
      maybe(() => random.chance(0.5) || this.#time()),
      maybe(() => this.#time()),
      maybe(() => this.#time()),
      maybe(() => random.pick([0, 0, 0x40, 0x10, 0x20, 0x80, 0xffff])),
    ];
  }

  #steps(): unknown[] {
    const length = this.#random.pick([1, 2, 3, 4, 8, STEPS_MAX]);
    return Array.from({ length }, () => {
      const [{ number }, items] = this.request(({ name, alone }) =>
        name !== "compound" && (!alone || this.#random.chance(0.02))
      );
      return [number, ...items];
    });
  }
}

/** An integer as the encoder needs it. */
export function integer(value: number): number | bigint {
  return Math.abs(value) > 0xffffffff ? BigInt(value) : value;
}
