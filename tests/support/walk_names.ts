/**
 * The operations of a random walk on names: making, finding, moving and
 * removing them.
 *
 * @module
 */

import {
  type Filesystem,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFREG,
  S_IFSOCK,
} from "../../fs/mod.ts";
import { type Model, nameKey } from "../model.ts";
import type { ModelNode } from "./model_node.ts";
import type { Random } from "./random.ts";
import { listDirectory } from "./tree.ts";
import {
  anyDirectory,
  anyName,
  anyNode,
  anyPlace,
  DIRECTORY_BLOCKS,
  inodeAt,
  shortName,
  type Step,
} from "./walk_arguments.ts";

/** Files and directories beyond this number are not made. */
const NODES_MAX = 700;

type Creation = { kind: number; mode: number };

function creation(
  random: Random,
  model: Model,
  { kind, mode }: Creation,
  finish: {
    verb: string;
    make(fs: Filesystem, dir: number, name: Uint8Array): number;
    adjust?(node: ModelNode): void;
    credentials?: { uid: number; gid: number };
  },
): Step | null {
  if (model.nodes.size > NODES_MAX) return null;
  const known = random.chance(0.1);
  const { dir, name } = known
    ? anyPlace(random, model, 0)
    : { dir: anyDirectory(random, model), name: anyName(random) };
  const touched = [dir, ...inodeAt(model, dir, name)];
  const { credentials } = finish;
  return {
    text: `${finish.verb} ${dir} ${shortName(name)} ${mode.toString(8)}`,
    touched,
    blocks: DIRECTORY_BLOCKS,
    makesInode: true,
    engine: (fs) => {
      const ino = finish.make(fs, dir, name);
      touched.push(ino);
      return ino;
    },
    model: (model, ino) => {
      const node = model.create(dir, name, () => ino as number, {
        kind,
        mode,
        credentials,
      });
      finish.adjust?.(node);
      return node.ino;
    },
  };
}

/** A new regular file, of any owner. */
export function chooseCreate(random: Random, model: Model): Step | null {
  const mode = random.below(0o1000);
  const credentials = random.chance(0.3)
    ? { uid: random.below(2 ** 32), gid: random.below(70_000) }
    : undefined;
  return creation(random, model, { kind: S_IFREG, mode }, {
    verb: "create",
    credentials,
    make: (fs, dir, name) => fs.create(dir, name, { mode, credentials }),
  });
}

/** A new directory. */
export function chooseMkdir(random: Random, model: Model): Step | null {
  const mode = random.below(0o1000) | (random.chance(0.2) ? 0o2000 : 0);
  return creation(random, model, { kind: S_IFDIR, mode }, {
    verb: "mkdir",
    make: (fs, dir, name) => fs.mkdir(dir, name, { mode }),
  });
}

/** A new symbolic link, device node, fifo or socket. */
export function chooseSpecial(random: Random, model: Model): Step | null {
  const mode = random.below(0o1000);
  if (random.chance(0.6)) return chooseSymlink(random, model);
  const kind = random.pick([S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK]);
  const numbered = kind === S_IFCHR || kind === S_IFBLK;
  const rdev = numbered
    ? { major: random.below(4096), minor: random.below(2 ** 20) }
    : { major: 0, minor: 0 };
  return creation(random, model, { kind, mode }, {
    verb: "mknod",
    make: (fs, dir, name) => fs.mknod(dir, name, { mode, kind, rdev }),
    adjust: (node) => node.rdev = rdev,
  });
}

/** A new symbolic link, its target about as long as an inode holds. */
export function chooseSymlink(random: Random, model: Model): Step | null {
  const length = random.pick([1, 20, 58, 59, 60, 61, 300, 1000]);
  const target = new Uint8Array(length).fill(0x74);
  return creation(random, model, { kind: S_IFLNK, mode: 0o777 }, {
    verb: `symlink(${length})`,
    make: (fs, dir, name) => fs.symlink(dir, name, target),
    adjust: (node) => node.target = target,
  });
}

/** One more name for a file. */
export function chooseLink(random: Random, model: Model): Step {
  const ino = anyNode(random, model, S_IFREG);
  const dir = anyDirectory(random, model);
  const name = anyName(random);
  return {
    text: `link ${ino} ${dir} ${shortName(name)}`,
    touched: [ino, dir],
    blocks: DIRECTORY_BLOCKS,
    engine: (fs) => fs.link(ino, dir, name),
    model: (model) => model.link(ino, dir, name),
  };
}

/** A name less. */
export function chooseUnlink(random: Random, model: Model): Step {
  const wanted = random.chance(0.9) ? S_IFREG : 0;
  const { dir, name } = anyPlace(random, model, wanted);
  return {
    text: `unlink ${dir} ${shortName(name)}`,
    touched: [dir, ...inodeAt(model, dir, name)],
    blocks: 0,
    engine: (fs) => fs.unlink(dir, name),
    model: (model) => model.unlink(dir, name),
  };
}

/** A directory less. */
export function chooseRmdir(random: Random, model: Model): Step {
  const wanted = random.chance(0.9) ? S_IFDIR : 0;
  const { dir, name } = anyPlace(random, model, wanted);
  return {
    text: `rmdir ${dir} ${shortName(name)}`,
    touched: [dir, ...inodeAt(model, dir, name)],
    blocks: 0,
    engine: (fs) => fs.rmdir(dir, name),
    model: (model) => model.rmdir(dir, name),
  };
}

/** A move, onto an existing name half of the time. */
export function chooseRename(random: Random, model: Model): Step {
  const from = anyPlace(random, model, random.chance(0.4) ? S_IFDIR : 0);
  const to = random.chance(0.5)
    ? anyPlace(random, model, 0)
    : { dir: anyDirectory(random, model), name: anyName(random) };
  const noReplace = random.chance(0.1);
  return {
    text: `rename ${from.dir} ${shortName(from.name)} → ` +
      `${to.dir} ${shortName(to.name)}${noReplace ? " no-replace" : ""}`,
    touched: [
      ...[from.dir, to.dir, ...inodeAt(model, from.dir, from.name)],
      ...inodeAt(model, to.dir, to.name),
    ],
    blocks: DIRECTORY_BLOCKS,
    engine: (fs) =>
      fs.rename(from.dir, from.name, to.dir, to.name, { noReplace }),
    model: (model) => model.rename(from, to, noReplace),
  };
}

/** A search for a name. */
export function chooseLookup(random: Random, model: Model): Step {
  const { dir, name } = anyPlace(random, model, 0);
  return {
    text: `lookup ${dir} ${shortName(name)}`,
    touched: [dir],
    blocks: 0,
    engine: (fs) => fs.lookup(dir, name),
    model: (model) => model.lookup(dir, name),
  };
}

/** A listing. */
export function chooseReaddir(random: Random, model: Model): Step {
  const dir = anyDirectory(random, model);
  return {
    text: `readdir ${dir}`,
    touched: [dir],
    blocks: 0,
    reads: true,
    engine: (fs) =>
      listDirectory(fs, dir).map(({ name, ino }) => [nameKey(name), ino])
        .sort(),
    model: (model) => [...model.readdir(dir)].sort(),
  };
}
