/**
 * Every sequence of two operations on a small tree, each of them followed by
 * a sync or by nothing.
 *
 * @module
 */

import {
  type Filesystem,
  ROOT_INODE,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
} from "../../fs/mod.ts";
import { type Model, nameKey } from "../model.ts";
import { Random } from "../support/random.ts";
import type { Step } from "../support/walk_arguments.ts";
import type { Specimen } from "./specimen.ts";
import { type HostOptions, type Origin, Workload } from "./workload.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const noise = (seed: number, length: number): Uint8Array =>
  new Random(seed).bytes(length);

/** An operation on both sides; `find` gives the inode number of a name. */
export interface Operation {
  readonly text: string;
  engine(fs: Filesystem, find: (name: string) => number): unknown;
  model(
    model: Model,
    find: (name: string) => number,
    engineValue: unknown,
  ): unknown;
}

function creation(
  text: string,
  name: string,
  kind: number,
  make: (fs: Filesystem) => number,
  target = "",
): Operation {
  const mode = kind === S_IFDIR ? 0o755 : kind === S_IFLNK ? 0o777 : 0o644;
  return {
    text,
    engine: make,
    model(model, _, ino): void {
      const node = model.create(ROOT_INODE, bytes(name), () => ino as number, {
        kind,
        mode,
      });
      node.target = bytes(target);
    },
  };
}

/** A write of so many bytes. */
export function writing(
  name: string,
  offset: number,
  length: number,
): Operation {
  const data = noise(length, length);
  return {
    text: `write ${name} ${offset} +${length}`,
    engine: (fs, find) => fs.write(find(name), offset, data),
    model: (model, find) => model.write(find(name), offset, data),
  };
}

function resizing(name: string, size: number): Operation {
  return {
    text: `truncate ${name} ${size}`,
    engine: (fs, find) => fs.setattr(find(name), { size }),
    model: (model, find) => model.setattr(find(name), { size }),
  };
}

function renaming(from: string, to: string): Operation {
  const [a, b] = [from, to].map(bytes);
  return {
    text: `rename ${from} ${to}`,
    engine: (fs) => fs.rename(ROOT_INODE, a, ROOT_INODE, b),
    model: (model) =>
      model.rename(
        { dir: ROOT_INODE, name: a },
        { dir: ROOT_INODE, name: b },
        false,
      ),
  };
}

function unlinking(name: string): Operation {
  return {
    text: `unlink ${name}`,
    engine: (fs) => fs.unlink(ROOT_INODE, bytes(name)),
    model: (model) => model.unlink(ROOT_INODE, bytes(name)),
  };
}

const LONG_TARGET = "t".repeat(300);

/** The operations. What the first has removed, the second does not find. */
export const OPERATIONS: readonly Operation[] = [
  creation("create new", "new", S_IFREG, (fs) => fs.create(ROOT_INODE, "new")),
  creation(
    "mkdir new-dir",
    "new-dir",
    S_IFDIR,
    (fs) => fs.mkdir(ROOT_INODE, "new-dir"),
  ),
  creation(
    "symlink new-link",
    "new-link",
    S_IFLNK,
    (fs) => fs.symlink(ROOT_INODE, "new-link", LONG_TARGET),
    LONG_TARGET,
  ),
  writing("file", 500, 3000),
  writing("large", 20_000, 2500),
  resizing("large", 700),
  resizing("file", 30_000),
  renaming("file", "moved"),
  renaming("file", "large"),
  unlinking("large"),
  {
    text: "unlink open, which is open",
    engine(fs, find): void {
      fs.retain(find("open"));
      fs.unlink(ROOT_INODE, bytes("open"));
    },
    model(model, find): void {
      model.retain(find("open"));
      model.unlink(ROOT_INODE, bytes("open"));
    },
  },
  {
    text: "rmdir empty",
    engine: (fs) => fs.rmdir(ROOT_INODE, bytes("empty")),
    model: (model) => model.rmdir(ROOT_INODE, bytes("empty")),
  },
  {
    text: "link file",
    engine: (fs, find) => fs.link(find("file"), ROOT_INODE, bytes("linked")),
    model: (model, find) =>
      model.link(find("file"), ROOT_INODE, bytes("linked")),
  },
  {
    text: "setxattr file",
    engine: (fs, find) => fs.setxattr(find("file"), "user.a", noise(3, 400)),
    model: (model, find) =>
      model.setxattr(find("file"), "user.a", noise(3, 400), {}),
  },
];

/** A tree for them: files short, long and about to be open, and a directory. */
export async function pairsOrigin(specimen: Specimen): Promise<Origin> {
  const workload = await Workload.start(specimen, await specimen.blank());
  const files = [
    ...[["file", 1500], ["large", 40_000], ["open", 5000]] as const,
    ["ballast", 1] as const,
  ];
  for (const [name, length] of files) {
    await workload.step(stepOf(
      creation(name, name, S_IFREG, (fs) => fs.create(ROOT_INODE, name)),
      workload.model,
    ));
    await workload.step(stepOf(writing(name, 0, length), workload.model));
  }
  await workload.step(stepOf(
    creation("empty", "empty", S_IFDIR, (fs) => fs.mkdir(ROOT_INODE, "empty")),
    workload.model,
  ));
  await workload.close();
  const { host: { contents }, model } = workload;
  return { contents, model };
}

/** One operation as a step: names are looked up before either side acts. */
export function stepOf(operation: Operation, model: Model): Step {
  const known = new Map(
    [...model.node(ROOT_INODE).entries].map(([key, ino]) => [key, ino]),
  );
  const find = (name: string): number =>
    known.get(nameKey(bytes(name))) ?? 1_000_000;
  return {
    text: operation.text,
    touched: [],
    blocks: 0,
    engine: (fs) => operation.engine(fs, find),
    model: (model, value) => operation.model(model, find, value),
  };
}

/** A sequence of two operations. */
export interface Pair {
  /** What is done, in words. */
  readonly text: string;
  readonly first: Operation;
  readonly second: Operation;
  /** Whether a sync follows each of them. */
  readonly syncs: readonly [boolean, boolean];
}

/** Every sequence of two operations. */
export function allPairs(): Pair[] {
  return OPERATIONS.flatMap((first) =>
    OPERATIONS.flatMap((second) =>
      [0, 1, 2, 3].map((bits) => {
        const syncs = [(bits & 1) !== 0, (bits & 2) !== 0] as const;
        const [a, b] = syncs.map((does) => does ? ", sync" : "");
        return {
          text: `${first.text}${a}; ${second.text}${b}`,
          ...{ first, second, syncs },
        };
      })
    )
  );
}

/** Does a sequence of two operations, and closes the volume. */
export async function pairWorkload(
  specimen: Specimen,
  origin: Origin,
  pair: Pair,
  host: HostOptions = {},
): Promise<Workload> {
  const workload = await Workload.start(specimen, origin, host);
  for (const [i, operation] of [pair.first, pair.second].entries()) {
    await workload.step(stepOf(operation, workload.model));
    if (pair.syncs[i]) await workload.sync();
  }
  await workload.close();
  return workload;
}
