/**
 * Compounds: several operations in one request.
 *
 * Steps are carried out in order. Each is complete by itself, and what others
 * ask for may come between two of them, as between two requests. The first
 * that fails is the last. A file that a step has found or opened can be meant
 * by the steps behind it, so that a path is opened, read and closed at once.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import { InPlace } from "./frame_writer.ts";
import { FRAME_MAX } from "./limits.ts";
import { repliesSize } from "./operations/compound.ts";
import type {
  CompoundReply,
  CompoundStep,
  Node,
  Results,
} from "./operations/mod.ts";
import type { Session } from "./session.ts";

type Values = Record<string, unknown>;

/** What the steps so far have come to. */
interface Found {
  /** What the last of them that found a file has found. */
  node: Node | null;
  /** What the last of them that opened a file has opened. */
  descriptor: number | null;
}

/**
 * Carries out the steps of a compound. Rejects with `EINVAL`, before anything
 * is done, if the replies might be longer than a frame.
 */
export async function carryOutSteps(
  session: Session,
  steps: readonly CompoundStep[],
): Promise<Results<"compound">> {
  const size = repliesSize(steps);
  if (size > Math.min(FRAME_MAX, session.limits.maxFrame)) {
    throw new FsError("EINVAL", `replies of ${size} bytes are too long`);
  }
  const found: Found = { node: null, descriptor: null };
  const replies: CompoundReply[] = [];
  for (const step of steps) {
    try {
      const values = await carryOut(session, step, found);
      const { operation } = step;
      replies.push({ status: 0, results: { operation, values } });
    } catch (error) {
      replies.push(session.failure(error));
      break;
    }
  }
  return { replies };
}

async function carryOut(
  session: Session,
  { operation, args }: CompoundStep,
  found: Found,
): Promise<Values> {
  const filled = fillIn(args, found);
  if (operation.mutates && !operation.harmless?.(filled)) {
    for (let room = session.fs.room(); room; room = session.fs.room()) {
      await room;
    }
  }
  const results = await session.step(operation, filled);
  const values = { ...results as Values };
  for (const [name, value] of Object.entries(values)) {
    // What later steps change must not be seen in the reply of this one.
    if (value instanceof InPlace) values[name] = made(value);
  }
  note(values, found);
  return values;
}

function made({ maxLength, fill }: InPlace): Uint8Array {
  const into = new Uint8Array(maxLength);
  return into.subarray(0, fill(into));
}

/** Puts what was found in the place of node [0, 0] and of descriptor 0. */
function fillIn(args: Readonly<Values>, found: Found): Values {
  const filled: Values = {};
  for (const [name, value] of Object.entries(args)) {
    if (DESCRIPTORS.has(name) && value === 0) {
      filled[name] = found.descriptor ?? 0;
    } else if (isNone(value)) filled[name] = found.node ?? value;
    else filled[name] = value;
  }
  return filled;
}

/** The names of arguments that are descriptors. */
const DESCRIPTORS: ReadonlySet<string> = new Set(["descriptor", "from", "to"]);

function isNone(value: unknown): boolean {
  const node = value as Partial<Node> | null;
  return node?.ino === 0 && node.generation === 0;
}

function note(values: Readonly<Values>, found: Found): void {
  const { attributes, nodes, descriptor } = values;
  if (typeof descriptor === "number") found.descriptor = descriptor;
  if (Array.isArray(nodes) && nodes.length > 0) found.node = nodes.at(-1);
  else if (attributes) found.node = attributes as Node;
}
