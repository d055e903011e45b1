/**
 * The operations of a random walk on one file: its contents, attributes,
 * extended attributes, and whether it is open.
 *
 * @module
 */

import {
  type AttributeChanges,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
} from "../../fs/mod.ts";
import type { Model } from "../model.ts";
import type { Random } from "./random.ts";
import {
  anyMode,
  anyNode,
  anyOffset,
  anyTime,
  type Limits,
  type Step,
} from "./walk_arguments.ts";

const XATTR_NAMES = [
  ...["user.a", "user.b", "user.long-" + "n".repeat(60), "trusted.t"],
  ...["security.s", "user.z"],
];

/** A write near a limit of the block map or at the end. */
export function chooseWrite(
  random: Random,
  model: Model,
  limits: Limits,
): Step {
  const { blockSize } = limits;
  const ino = anyNode(random, model, S_IFREG);
  const size = model.nodes.get(ino)?.data.size ?? 0;
  const offset = random.chance(0.3) ? size : anyOffset(random, blockSize);
  const most = random.chance(0.05) ? 40 : 3;
  const data = random.bytes(random.below(most * blockSize));
  return {
    text: `write ${ino} ${offset} +${data.length}`,
    touched: [ino],
    blocks: Math.ceil(data.length / blockSize) + 8,
    engine: (fs) => fs.write(ino, offset, data),
    model: (model) => {
      model.write(ino, offset, data);
      return data.length;
    },
  };
}

/** A read. */
export function chooseRead(random: Random, model: Model, limits: Limits): Step {
  const ino = anyNode(random, model, S_IFREG);
  const offset = anyOffset(random, limits.blockSize);
  const length = random.below(5 * limits.blockSize);
  return {
    text: `read ${ino} ${offset} +${length}`,
    touched: [ino],
    blocks: 0,
    reads: true,
    engine: (fs) => {
      const into = new Uint8Array(length);
      return into.subarray(0, fs.read(ino, offset, into)).toHex();
    },
    model: (model) => model.read(ino, offset, length).toHex(),
  };
}

/** A new size, smaller or larger. */
export function chooseTruncate(
  random: Random,
  model: Model,
  limits: Limits,
): Step {
  const ino = anyNode(random, model, S_IFREG);
  const size = random.chance(0.2) ? 0 : anyOffset(random, limits.blockSize);
  return setattrStep(ino, { size });
}

/** New attributes. */
export function chooseSetattr(
  random: Random,
  model: Model,
  limits: Limits,
): Step {
  const changes: AttributeChanges = {};
  if (random.chance(0.4)) changes.mode = anyMode(random);
  if (random.chance(0.2)) changes.uid = random.next();
  if (random.chance(0.2)) changes.gid = random.next();
  if (random.chance(0.3)) changes.atime = anyTime(random, limits);
  if (random.chance(0.3)) changes.mtime = anyTime(random, limits);
  if (random.chance(0.1)) changes.mtime = "now";
  if (random.chance(0.1)) changes.ctime = anyTime(random, limits);
  return setattrStep(anyNode(random, model, 0), changes);
}

function setattrStep(ino: number, changes: AttributeChanges): Step {
  return {
    text: `setattr ${ino} ${JSON.stringify(changes)}`,
    touched: [ino],
    blocks: 0,
    engine: (fs) => void fs.setattr(ino, changes),
    model: (model) => model.setattr(ino, changes),
  };
}

/** A symbolic link's target. */
export function chooseReadlink(random: Random, model: Model): Step {
  const ino = anyNode(random, model, S_IFLNK);
  return {
    text: `readlink ${ino}`,
    touched: [ino],
    blocks: 0,
    reads: true,
    engine: (fs) => fs.readlink(ino),
    model: (model) => model.readlink(ino),
  };
}

/** A new or changed extended attribute. */
export function chooseSetxattr(
  random: Random,
  model: Model,
  limits: Limits,
): Step {
  const kind = random.pick([S_IFREG, S_IFREG, S_IFDIR, S_IFLNK]);
  const ino = anyNode(random, model, kind);
  const name = random.pick(XATTR_NAMES);
  const value = random.bytes(random.pick([0, 1, 5, 40, 200]));
  const flags = random.pick([{}, {}, { create: true }, { replace: true }]);
  const after = new Map(model.nodes.get(ino)?.xattrs).set(name, value);
  return {
    text: `setxattr ${ino} ${name.slice(0, 12)} ${value.length} ` +
      JSON.stringify(flags),
    touched: [ino],
    blocks: xattrBytes(after) > limits.blockSize ? Infinity : 1,
    engine: (fs) => fs.setxattr(ino, name, value, flags),
    model: (model) => model.setxattr(ino, name, value, flags),
  };
}

/** Bytes that attributes take in a block of their own, as in Linux. */
function xattrBytes(xattrs: Map<string, Uint8Array>): number {
  const padded = (length: number): number => Math.ceil(length / 4) * 4;
  let bytes = 32 + 4;
  for (const [name, value] of xattrs) {
    const suffix = name.slice(name.indexOf(".") + 1);
    bytes += 16 + padded(suffix.length) + padded(value.length);
  }
  return bytes;
}

/** An extended attribute less, if it is there. */
export function chooseRemovexattr(random: Random, model: Model): Step {
  const having = [...model.nodes.values()].filter((n) => n.xattrs.size > 0);
  const node = having.length > 0 ? random.pick(having) : model.node(2);
  const name = random.chance(0.8) && node.xattrs.size > 0
    ? random.pick([...node.xattrs.keys()])
    : random.pick(XATTR_NAMES);
  return {
    text: `removexattr ${node.ino} ${name.slice(0, 12)}`,
    touched: [node.ino],
    blocks: 1,
    engine: (fs) => fs.removexattr(node.ino, name),
    model: (model) => model.removexattr(node.ino, name),
  };
}

/** An open. */
export function chooseRetain(random: Random, model: Model): Step {
  const ino = anyNode(random, model, random.chance(0.8) ? S_IFREG : S_IFDIR);
  return {
    text: `retain ${ino}`,
    touched: [ino],
    blocks: 0,
    engine: (fs) => fs.retain(ino),
    model: (model) => model.retain(ino),
  };
}

/** A close. */
export function chooseRelease(random: Random, model: Model): Step | null {
  const open = [...model.nodes.values()].filter(({ opens }) => opens > 0);
  if (open.length === 0) return null;
  const { ino } = random.pick(open);
  return {
    text: `release ${ino}`,
    happensAnyway: true,
    touched: [ino],
    blocks: 0,
    engine: (fs) => fs.release(ino),
    model: (model) => model.release(ino),
  };
}
