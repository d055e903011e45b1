/**
 * The values that a policy is made of, each checked as it is read.
 *
 * @module
 */

import type { Item, PolicySource } from "./_policy_source.ts";
import { suggestion } from "./suggestion.ts";

/** Words longer than this are shown cut short, in characters. */
const SHOWN_MAX = 40;

/** A text from a policy, as a message of one line may hold it. */
export function quoted(text: string): string {
  const cut = text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
  return JSON.stringify(cut).replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** `a number`, as it reads behind "expected". */
const KINDS: Readonly<Record<string, string>> = {
  object: "an object",
  array: "an array",
  string: "a text",
  number: "a number",
  boolean: "true or false",
  null: "null",
};

/** Reads the values of one policy. Its methods throw {@link PolicyError}. */
export class PolicyFields {
  readonly #source: PolicySource;

  /** Reads `source`. */
  constructor(source: PolicySource) {
    this.#source = source;
  }

  /** The whole policy. */
  get root(): Item {
    return this.#source.root;
  }

  /** Throws about `item`. */
  fail(item: Item, reason: string): never {
    return this.#source.fail(item, reason);
  }

  /**
   * The members of an object, whose keys must be among `known`, and no key
   * twice. Those whose names are in `needed` must be there.
   */
  object<K extends string>(
    item: Item,
    known: readonly K[],
    needed: readonly K[] = [],
  ): Partial<Record<K, Item>> {
    this.#kind(item, "object");
    const members = new Map<string, Item>();
    for (const { children } of item.children ?? []) {
      const [key, value] = children as [Item, Item];
      const name = key.value as string;
      if (members.has(name)) this.fail(key, `the key ${quoted(name)} twice`);
      if (!(known as readonly string[]).includes(name)) {
        const near = suggestion(name, known) ||
          `; expected ${listed(known, "or")}`;
        this.fail(key, `unknown key ${quoted(name)}${near}`);
      }
      members.set(name, value);
    }
    for (const name of needed) {
      if (!members.has(name)) this.fail(item, `"${name}" is missing`);
    }
    return Object.fromEntries(members) as Partial<Record<K, Item>>;
  }

  /** The items of an array. */
  array(item: Item): readonly Item[] {
    this.#kind(item, "array");
    return item.children ?? [];
  }

  /** A text. */
  text(item: Item): string {
    this.#kind(item, "string");
    return item.value as string;
  }

  /** One of some texts. */
  choice<T extends string>(item: Item, choices: readonly T[]): T {
    const text = this.text(item);
    const found = choices.find((choice) => choice === text);
    if (found !== undefined) return found;
    const near = suggestion(text, choices) ||
      `; expected ${listed(choices, "or")}`;
    return this.fail(item, `unknown value ${quoted(text)}${near}`);
  }

  /** A whole number from `least` to `most`. */
  integer(item: Item, least: number, most: number): number {
    this.#kind(item, "number");
    const number = item.value as number;
    if (Number.isInteger(number) && number >= least && number <= most) {
      // Not the negative zero, which is an integer as well.
      return number + 0;
    }
    return this.fail(item, `expected a whole number from ${least} to ${most}`);
  }

  #kind(item: Item, kind: Item["type"]): void {
    if (item.type === kind) return;
    this.fail(item, `expected ${KINDS[kind]}, and this is ${KINDS[item.type]}`);
  }
}

/** `"a", "b" or "c"`. */
export function listed(words: readonly string[], join: "or" | "and"): string {
  const all = words.map((word) => `"${word}"`);
  const last = all.pop();
  return all.length > 0 ? `${all.join(", ")} ${join} ${last}` : `${last}`;
}
