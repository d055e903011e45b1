/**
 * What the model makes of the calls on ranges of a file. It has no blocks: a
 * hole is zeros to it, and so is what was taken but not written.
 *
 * @module
 */

import type { AllocateOptions, CopyRangeOptions } from "../../fs/mod.ts";
import { type Model, ModelError } from "../model.ts";
import type { ModelNode } from "./model_node.ts";

/** Takes or gives back blocks, so far as `done` bytes. */
export function allocateInModel(
  model: Model,
  { ino, done }: { ino: number; done: number },
  options: AllocateOptions,
): void {
  const { offset, keepSize, punchHole, zeroRange } = options;
  const node = regular(model, ino);
  if (punchHole && offset >= node.data.size) return;
  if (punchHole || zeroRange) node.data.zero(offset, done);
  if (!keepSize) node.data.resize(Math.max(node.data.size, offset + done));
  changed(model, node);
}

/** Copies the first `done` bytes of a range; returns how many there were. */
export function copyInModel(
  model: Model,
  options: CopyRangeOptions,
  done: number,
): number {
  const { fromOffset, toOffset, length } = options;
  const from = regular(model, options.from);
  const to = regular(model, options.to);
  const most = Math.max(Math.min(length, from.data.size - fromOffset), 0);
  if (from === to && most > Math.abs(fromOffset - toOffset)) {
    throw new ModelError(["EINVAL"]);
  }
  if (most === 0) return 0;
  if (!(done > 0 && done <= most)) return most;
  to.data.write(toOffset, from.data.read(fromOffset, done));
  changed(model, to);
  model.accessed(from);
  return done;
}

/**
 * Whether `found` can be what lseek(2) answers for data or a hole from
 * `offset` on: what it passes over as a hole must be zeros, and the first hole
 * of all may be the one behind the end.
 */
export function canBeFound(
  model: Model,
  { ino, offset, hole }: { ino: number; offset: number; hole: boolean },
  found: number | null,
): boolean {
  const { data } = regular(model, ino);
  if (offset >= data.size) return found === null;
  if (hole) return found !== null && found >= offset && found <= data.size;
  const end = found ?? data.size;
  if (end < offset || found !== null && found >= data.size) return false;
  for (const [page, bytes] of data.pages) {
    const from = Math.max(offset - page * 4096, 0);
    const part = bytes.subarray(from, Math.max(end - page * 4096, from));
    if (part.some((byte) => byte !== 0)) return false;
  }
  return true;
}

/** The file of that number; refused as a read of it is. */
function regular(model: Model, ino: number): ModelNode {
  model.read(ino, 0, 0);
  return model.node(ino);
}

function changed(model: Model, node: ModelNode): void {
  node.mtime = model.now;
  node.ctime = model.now;
}
