/**
 * A campaign: the crash states of many workloads on one volume, each of them
 * opened and checked, and what came of it counted.
 *
 * @module
 */

import { Random } from "../support/random.ts";
import type { Tree } from "../support/tree.ts";
import { Recoverer, type Recovery } from "./check_state.ts";
import type { Judge } from "./judge.ts";
import type { Contents } from "./recording.ts";
import type { Specimen } from "./specimen.ts";
import {
  type CrashState,
  crashStates,
  type StateOptions,
  USUAL_STATES,
} from "./states.ts";
import type { Workload } from "./workload.ts";

/** How much of what could be tried is tried. */
export interface CampaignOptions {
  /** Replays the choices. */
  readonly seed: number;
  /** States at each place of a log. */
  readonly states?: StateOptions;
  /** The part of recoveries that are cut short themselves. */
  readonly nested?: number;
  /** The part of states that a reader sees before they are recovered. */
  readonly viewed?: number;
}

/** So many failures are told in words. */
const FAILURES_MAX = 5;
/** About how many states there are for each call of a log. */
const STATES_A_CALL = 8;

/** What came of a campaign. */
export class Tally {
  /** Crash states of distinct contents that were opened. */
  states = 0;
  /** Of these, such that a recovery left when it was cut short. */
  nested = 0;
  /** Distinct trees that were found. */
  readonly trees: Set<string> = new Set();
  /** The first failures, in words. */
  readonly failures: string[] = [];
  /** How many there were. */
  failed = 0;

  /** Counts a failure. */
  fail(text: string): void {
    this.failed++;
    if (this.failures.length < FAILURES_MAX) this.failures.push(text);
  }
}

/** The states that a recovery leaves when it is cut short: fewer of each. */
const NESTED_STATES: StateOptions = { missing: 1, random: 1, torn: 1 };
/** The most states that are tried of one recovery. */
const NESTED_MAX = 12;

/** See the module. */
export class Campaign {
  /** What came of it so far. */
  readonly tally = new Tally();
  readonly #random: Random;
  readonly #recoverer: Recoverer;
  readonly #options: CampaignOptions;

  /** Makes a campaign on `specimen`, whose plaintexts `judge` looks at. */
  constructor(specimen: Specimen, judge: Judge, options: CampaignOptions) {
    this.#random = new Random(options.seed);
    this.#recoverer = new Recoverer(specimen, judge);
    this.#options = options;
  }

  /**
   * Tries about `most` crash states of one workload, spread over all of it;
   * `title` replays it.
   */
  async attack(
    { host, history }: Workload,
    title: string,
    most: number = Infinity,
  ): Promise<void> {
    const { states = USUAL_STATES } = this.#options;
    const share = most / (host.log.length * STATES_A_CALL);
    const known = new Map<string, string>();
    const random = new Random(this.#random.next());
    for (const state of crashStates(host.initial, host.log, random, states)) {
      if (!known.has(state.key) && !this.#random.chance(share)) continue;
      const where = `${title}, ${state.text}`;
      try {
        let digest = known.get(state.key);
        let tree: Tree | null = null;
        if (digest === undefined) {
          ({ digest, tree } = await this.#try(state, where));
          known.set(state.key, digest);
        }
        if (digest === "" || history.match(digest, state.calls) >= 0) continue;
        tree ??= (await this.#recover(state.contents(), where)).tree;
        throw new Error(history.complaint(tree, state.calls));
      } catch (error) {
        known.set(state.key, "");
        this.tally.fail(`${where}:\n  ${error}\n${history}`);
      }
    }
  }

  async #try(state: CrashState, where: string): Promise<Recovery> {
    const { nested = 0.02, viewed = 0.1 } = this.#options;
    const isNested = this.#random.chance(nested);
    const isViewed = this.#random.chance(viewed);
    this.tally.states++;
    const files = state.contents();
    const seen = isViewed
      ? await this.#recoverer.view(files, { from: where })
      : null;
    const recovery = await this.#recover(files, where, isNested);
    this.tally.trees.add(recovery.digest);
    if (seen && seen.digest !== recovery.digest) {
      throw new Error("a reader has seen another tree than the recovered one");
    }
    if (isNested) await this.#attackRecovery(recovery, where);
    return recovery;
  }

  async #recover(
    files: Contents,
    from: string,
    replay = false,
  ): Promise<Recovery> {
    return await this.#recoverer.recover(files, { from, replay });
  }

  /** Cuts a recovery short: the next one must find the same tree. */
  async #attackRecovery(first: Recovery, where: string): Promise<void> {
    const { initial, log } = first.host;
    const random = new Random(this.#random.next());
    const keys = new Set<string>();
    const calls = log.length;
    for (const state of crashStates(initial, log, random, NESTED_STATES)) {
      if (keys.has(state.key)) continue;
      // Spread over the whole recovery, however long it is.
      if (!this.#random.chance(NESTED_MAX / (2 * calls))) continue;
      keys.add(state.key);
      this.tally.states++;
      this.tally.nested++;
      const text = `${where}, and its recovery cut short ${state.text}`;
      let complaint: unknown;
      try {
        const { digest } = await this.#recover(state.contents(), text);
        if (digest === first.digest) continue;
        complaint = "the tree is not the one that the first recovery found";
      } catch (error) {
        complaint = error;
      }
      throw new Error(`its recovery was cut short ${state.text}: ${complaint}`);
    }
  }
}
