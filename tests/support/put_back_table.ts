/**
 * The table in docs/durability.md of what becomes of a volume whose files were
 * put back: rows for people, each for all choices that come to the same.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { VolumeFile } from "../../bd/volume/mod.ts";
import { isSameState } from "../../bd/journal/state.ts";
import { type Finding, isSameFile } from "./put_back.ts";
import {
  type Choice,
  hasTree,
  type History,
  type Moment,
} from "./put_back_history.ts";

/** A choice, as the rows look at it. */
class Look {
  constructor(
    readonly history: History,
    readonly choice: Choice,
    /** What counts as the present. */
    readonly now: Moment,
  ) {}

  /** Whether a file is not the present one. */
  isOld(name: VolumeFile): boolean {
    const moment = this.choice.get(name);
    return moment !== undefined && !isSameFile(name, moment, this.now);
  }

  /** The moment whose state the anchor has, or else the journal. */
  get stated(): Moment {
    return this.choice.get("anchor") ?? this.choice.get("journal")!;
  }

  /** Whether the anchor has another state than the journal's last. */
  get disagrees(): boolean {
    const { state } = this.choice.get("journal")!;
    return !isSameState(this.stated.state, state);
  }

  /** Whether the journal has one record more than the anchor knows of. */
  get isOneBehind(): boolean {
    const { epoch, generation } = this.choice.get("journal")!.state;
    const { state } = this.stated;
    return generation === state.generation + 1 &&
      isSameFile("image", this.stated, this.choice.get("journal")!) &&
      epoch.every((byte, i) => byte === state.epoch[i]);
  }

  /** Whether the keys were others than the state says. */
  get hasOtherKeys(): boolean {
    const descriptor = this.choice.get("descriptor")!;
    return !isSameFile("descriptor", descriptor, this.stated);
  }

  /** Whether all files are of one moment. */
  get isWhole(): boolean {
    return this.history.moments.some((moment) =>
      [...this.choice].every(([name, one]) => isSameFile(name, one, moment))
    );
  }
}

/** One row: the first one counts whose condition holds. */
interface Row {
  readonly text: string;
  readonly holds: (look: Look) => boolean;
}

/** Rows of volumes that have an anchor. */
const WITH_ANCHOR: readonly Row[] = [
  {
    text: "nothing",
    holds: (look) => look.isWhole && !look.isOld("journal") && !look.disagrees,
  },
  {
    text: "the journal and perhaps others, and the anchor less far or not at " +
      "all",
    holds: (look) => look.disagrees && !isLate(look),
  },
  {
    text: "the anchor and perhaps others, and the journal less far or not at " +
      "all; for one exception see the row after the next",
    holds: (look) => look.disagrees && !look.isOneBehind,
  },
  {
    text: "the descriptor, or else all but the descriptor, to before a " +
      "change of keys",
    holds: (look) => look.hasOtherKeys,
  },
  {
    text: "the anchor, by one commit that is still the last one in the journal",
    holds: (look) => look.disagrees,
  },
  {
    text: "image, tree or both, and nothing else",
    holds: ({ stated, now }) => isSameState(stated.state, now.state),
  },
  {
    text: "everything, anchor included, to one moment",
    holds: (look) => look.isWhole,
  },
  {
    text: "anchor, journal and descriptor to one moment, image or tree to " +
      "another one or not at all",
    holds: () => true,
  },
];

/** Whether the journal goes on where the anchor does not. */
function isLate({ stated, choice }: Look): boolean {
  const { generation } = choice.get("journal")!.state;
  return generation > stated.state.generation;
}

/** Rows of volumes that have none. */
const WITHOUT_ANCHOR: readonly Row[] = [
  {
    text: "nothing",
    holds: (look) => look.isWhole && !look.isOld("journal"),
  },
  {
    text: "the descriptor, or else all but the descriptor, to before a " +
      "change of keys",
    holds: (look) => look.hasOtherKeys,
  },
  {
    text: "image, tree or both, and nothing else",
    holds: ({ stated, now }) => isSameState(stated.state, now.state),
  },
  {
    text: "everything, to one moment",
    holds: (look) => look.isWhole,
  },
  {
    text: "journal and descriptor to one moment, image or tree to another " +
      "one or not at all",
    holds: () => true,
  },
];

/** What is found, from what may be merged into what. */
const OUTCOMES = {
  "13": "refused (13)",
  "14": "refused (14)",
  now: "opens as it is now",
  nowPart: "opens as it is now; blocks that differ cannot be read",
  then: "opens as it was then",
  thenPart: "opens as it was then; blocks that differ cannot be read",
  mixture: "opens; **old and new blocks are mixed, unnoticed**",
} as const;

type Outcome = keyof typeof OUTCOMES;

function outcomeOf(finding: Finding, { now }: Look): Outcome {
  if (finding.kind === "refused") return `${finding.code}`;
  const { failed, moment, contents } = finding;
  const isNow = isSameState(moment.state, now.state);
  if (contents !== moment) return "mixture";
  if (isNow) return failed > 0 ? "nowPart" : "now";
  return failed > 0 ? "thenPart" : "then";
}

/** What a cell says of all that was found. */
function cellOf(outcomes: ReadonlySet<Outcome>): string {
  const left = new Set(outcomes);
  if (left.has("nowPart")) left.delete("now");
  if (left.has("thenPart")) left.delete("then");
  // What was put back may happen to be all that differs.
  if (left.has("mixture")) {
    left.delete("now");
    left.delete("then");
  }
  if (left.size === 0) return "–";
  return [...left].map((outcome) => OUTCOMES[outcome]).sort().join(" or ");
}

/** Collects findings, and makes the tables of them. */
export class PutBackTable {
  readonly #cells: Map<string, Set<Outcome>> = new Map();

  /** Takes what was found of a choice, when `now` was the present. */
  add(
    history: History,
    { choice, now }: { choice: Choice; now: Moment },
    finding: Finding,
  ): void {
    const { device, anchor } = history.setting;
    const look = new Look(history, choice, now);
    const hasAnchor = anchor !== "none";
    const rows = hasAnchor ? WITH_ANCHOR : WITHOUT_ANCHOR;
    const row = rows.find(({ holds }) => holds(look));
    assert.ok(row);
    const column = hasTree(history.setting) ? TREE : `\`${device}\``;
    const key = JSON.stringify([hasAnchor, row.text, column]);
    const cell = this.#cells.get(key) ?? new Set();
    this.#cells.set(key, cell.add(outcomeOf(finding, look)));
  }

  /** The tables, in Markdown. */
  markdown(): string {
    return [
      "With an anchor, `apart` or `beside`:",
      "",
      ...this.#table(true, WITH_ANCHOR, [TREE, "`crypt`"]),
      "",
      "Without one (`init --anchor none`, and `std`):",
      "",
      ...this.#table(false, WITHOUT_ANCHOR, [TREE, "`crypt`", "`std`"]),
    ].join("\n");
  }

  #table(
    hasAnchor: boolean,
    rows: readonly Row[],
    columns: readonly string[],
  ): string[] {
    const line = (cells: readonly string[]): string =>
      `| ${cells.join(" | ")} |`;
    return [
      line(["what is put back", ...columns]),
      line(["---", ...columns.map(() => "---")]),
      ...rows.map(({ text }) =>
        line([
          text,
          ...columns.map((column) => {
            const key = JSON.stringify([hasAnchor, text, column]);
            return cellOf(this.#cells.get(key) ?? new Set());
          }),
        ])
      ),
    ];
  }
}

/** The column of what has a hash tree. */
const TREE = "`verity`, `vericrypt`";
const BEGIN = "<!-- begin put back -->";
const END = "<!-- end put back -->";

/** The tables in `document`, which are between two marks. */
export function documentedTable(document: string): string {
  const from = document.indexOf(BEGIN);
  const to = document.indexOf(END);
  assert.ok(from >= 0 && to > from, `there is no ${BEGIN} with an ${END}`);
  return document.slice(from + BEGIN.length, to);
}

/** A Markdown table without what its formatter puts in for the eye. */
export function withoutPadding(markdown: string): string {
  return markdown.trim().replaceAll(/ *\| */g, "|").replaceAll(/-{3,}/g, "-")
    .replaceAll(/\n\n+/g, "\n\n");
}
