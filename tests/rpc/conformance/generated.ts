/**
 * Cases that the table of operations says by itself: each argument in turn is
 * what it must not be, and each volume is what it should not be.
 *
 * @module
 */

// deno-lint-ignore-file explicit-function-return-type -- the type of the table gives it

import type { Errno } from "../../../fs/errors.ts";
import { INODE } from "../../../fs/inode.ts";
import { decodeMessage, REQUEST_ITEMS_MAX } from "../../../rpc/codec.ts";
import { FrameWriter, PREFIX_SIZE } from "../../../rpc/frame_writer.ts";
import {
  type NumberedOperation,
  O_TRUNC,
  O_WRONLY,
  OPERATION_LIST,
  type OperationName,
} from "../../../rpc/mod.ts";
import { writeFields } from "../../../rpc/wire_types.ts";
import { type Case, fails, succeeds } from "./case.ts";
import { ALONE, GOOD, type Special } from "./good.ts";
import { TOO_LONG, type Trial } from "./trial.ts";

type Usual = Exclude<OperationName, Special>;

const USUAL = OPERATION_LIST.filter(({ name }) => name in GOOD);

/** The good arguments of an operation, with one item that is not. */
function spoiled(
  operation: NumberedOperation,
  gives: Errno,
  what: string,
  spoil: (items: unknown[], trial: Trial) => void,
): Case {
  return fails<OperationName, unknown[]>(operation.name, gives, what, {
    alone: ALONE.has(operation.name),
    async args(trial) {
      const args = await GOOD[operation.name as Usual](trial);
      const items = itemsOf(operation, args);
      spoil(items, trial);
      return items;
    },
    send: (trial, items) =>
      trial.caller.ask(operation.number, items) as Promise<never>,
  });
}

/** Arguments as CBOR has them. */
export function itemsOf(
  { arguments: types, argumentNames }: NumberedOperation,
  args: unknown,
): unknown[] {
  const writer = new FrameWriter(new Uint8Array(2 << 20));
  writer.begin(2 + argumentNames.length);
  writer.int(1);
  writer.int(1);
  writeFields(writer, types, argumentNames, args as Record<string, unknown>);
  writer.end();
  const frame = writer.buffer.slice(PREFIX_SIZE, writer.length);
  return decodeMessage(frame, REQUEST_ITEMS_MAX).slice(2);
}

/** For each argument of an operation whose type is called `type`. */
function forEach(
  type: string,
  make: (operation: NumberedOperation, name: string, i: number) => Case,
): Case[] {
  return USUAL.flatMap((operation) =>
    operation.argumentNames.flatMap((name, i) => {
      const { description } = operation.arguments[name];
      return description === type ? [make(operation, name, i)] : [];
    })
  );
}

/** Too many arguments, too few, and each of another type. */
function wrongArguments(operation: NumberedOperation): Case[] {
  const { argumentNames } = operation;
  const cases = [
    spoiled(operation, "EINVAL", "one argument too many", (items) => {
      items.push(null);
    }),
  ];
  if (argumentNames.length > 0) {
    cases.push(
      spoiled(operation, "EINVAL", "one argument too few", (items) => {
        items.pop();
      }),
    );
  }
  argumentNames.forEach((name, i) => {
    const what = `\`${name}\` of another type`;
    cases.push(spoiled(operation, "EINVAL", what, (items) => {
      items[i] = typeof items[i] === "string" ? 5 : "text";
    }));
  });
  return cases;
}

/** Arguments that name something that is not there, or is something else. */
function wrongObjects(): Case[] {
  return [
    ...forEach(
      "name",
      (operation, name, i) =>
        spoiled(
          operation,
          "ENAMETOOLONG",
          `\`${name}\` of 256 bytes`,
          (items) => {
            items[i] = TOO_LONG;
          },
        ),
    ),
    ...forEach(
      "path",
      (operation, name, i) =>
        spoiled(
          operation,
          "ENAMETOOLONG",
          `\`${name}\` of 4096 bytes`,
          (items) => {
            items[i] = new Uint8Array(4096).fill(0x61);
          },
        ),
    ),
    ...forEach(
      "node",
      (operation, name, i) =>
        spoiled(
          operation,
          "ESTALE",
          `\`${name}\` was removed`,
          (items, trial) => {
            const { ino, generation } = trial.stale();
            items[i] = [ino, generation];
          },
        ),
    ),
    ...forEach(
      "node",
      (operation, name, i) =>
        spoiled(operation, "ESTALE", `\`${name}\` of another age`, (items) => {
          const [ino, generation] = items[i] as [number, number];
          items[i] = [ino, (generation ^ 1) >>> 0];
        }),
    ),
    ...forEach(
      "node",
      (operation, name, i) =>
        spoiled(operation, "ESTALE", `\`${name}\` that never was`, (items) => {
          items[i] = [4_000_000_000, 0];
        }),
    ),
    ...forEach(
      "descriptor",
      (operation, name, i) =>
        spoiled(operation, "EBADF", `\`${name}\` that is not open`, (items) => {
          items[i] = 999_999;
        }),
    ),
    ...forEach(
      "node",
      (operation, name, i) =>
        spoiled(
          operation,
          "ENOTDIR",
          `\`${name}\` is a file`,
          (items, trial) => {
            const { ino, generation } = trial.file("no directory");
            items[i] = [ino, generation];
          },
        ),
    ).filter(({ operation, what }) =>
      /`(dir|fromDir|toDir)`/.test(what) || operation === "readdir"
    ),
  ];
}

/** The good request of an operation while the volume is something else. */
function good<K extends Usual>(
  operation: K,
  gives: Errno,
  options: Pick<Case, "as" | "when"> & {
    what: string;
    harm?: (trial: Trial) => void;
  },
): Case {
  const { what, harm, as, when } = options;
  return fails(operation, gives, what, {
    ...{ as, when, alone: ALONE.has(operation) },
    async args(trial) {
      const args = await GOOD[operation](trial);
      harm?.(trial);
      return args;
    },
  });
}

/** Operations that look at nothing of the volume, whatever they are about. */
export const NOTHING_READ: ReadonlySet<OperationName> = new Set([
  ...["getLock", "setLock", "sync", "fsync", "fdatasync"] as const,
]);

const namesOf = (pattern: RegExp): Usual[] =>
  USUAL.filter(({ arguments: types, name }) =>
    !NOTHING_READ.has(name) &&
    Object.values(types).some(({ description }) => pattern.test(description))
  ).map(({ name }) => name as Usual);

const BY_NODE = namesOf(/^node$/);
const BY_DESCRIPTOR = namesOf(/^descriptor$/);
const BY_PATH = namesOf(/^path$/).filter((name) =>
  !BY_NODE.includes(name) &&
  !["mount", "umount", "mount_point_stats", "cache_write_back"].includes(name)
);

/** A host that cannot be read, or that lies. */
const UNREADABLE: Case[] = [
  ...[...BY_NODE, ...BY_DESCRIPTOR, ...BY_PATH],
  ...["statfs", "mount_point_stats"] as const,
].map(
  (name) =>
    good(name, "EIO", {
      what: "blocks that cannot be read, or do not verify",
      when: "unreadable",
    }),
);

/** Broken structures. */
const DAMAGED: Case[] = [
  ...BY_NODE.map((name) =>
    good(name, "EUCLEAN", {
      what: "an inode that is none",
      when: "damaged",
      harm: (trial) => harmInodes(trial, name),
    })
  ),
  ...BY_DESCRIPTOR.filter((name) => !/close$/.test(name)).map((name) =>
    good(name, "EUCLEAN", {
      what: "an inode that is none",
      when: "damaged",
      harm(trial) {
        const { i_extra_isize, i_size_high } = INODE;
        if (name.startsWith("dir_")) {
          trial.harm(trial.dir, i_extra_isize.offset, 255, 255);
        } else trial.harm(trial.get("file"), i_size_high.offset, 255, 255, 255);
      },
    })
  ),
  ...BY_PATH.map((name) =>
    good(name, "EUCLEAN", {
      what: "a directory whose entries have no length",
      when: "damaged",
      harm: (trial) => trial.harmBlock(trial.dir, 4, 0, 0),
    })
  ),
];

/** Breaks the inodes that a good request names. */
function harmInodes(trial: Trial, name: Usual): void {
  const names = trial.names();
  const isInDirectory = name === "readdir" ||
    "dir" in (OPERATION_LIST.find((one) => one.name === name)!.arguments);
  const node = isInDirectory || names.length === 0
    ? trial.dir
    : trial.get(names[0]);
  trial.harm(node, INODE.i_extra_isize.offset, 255, 255);
}

/** Changes where none are accepted. */
const READ_ONLY: Case[] = USUAL.filter((one) => one.mutates && !one.harmless)
  .flatMap(({ name, arguments: types }) => {
    const operation = name as Usual;
    const cases = [
      good(operation, "EROFS", {
        what: "a host that has failed before",
        when: "refusing",
      }),
    ];
    if (!("descriptor" in types || "from" in types)) {
      const what = "a client that may only look";
      cases.push(good(operation, "EROFS", { what, as: "reader" }));
    }
    return cases;
  });

/** Operations by path whose changes may have to be stored at once. */
const STORED = USUAL.filter(({ late, name, arguments: types }) =>
  late === "sometimes" && ("path" in types || /^file_(trunc|wri)/.test(name))
);

/** Changes that are to be stored at once on a host that cannot. */
const UNSTORED: Case[] = STORED.flatMap((operation) =>
  (["EIO", "ENOSPC", "EROFS"] as const).map((code) => {
    const name = operation.name as Usual;
    return fails(name, code, "to be stored at once, and it cannot be", {
      // What is not durable is there all the same.
      ...{ alone: true, changes: true, when: `unflushable: ${code}` as const },
      async args(trial) {
        const mountPoint = new TextEncoder().encode("/");
        await trial.caller.succeed("cache_write_back", {
          mountPoint,
          on: false,
        });
        const args = await GOOD[name](trial);
        // Of those that open a file, only what changes it is stored.
        return name === "file_open"
          ? { ...args, mode: "w" }
          : name === "file_open2"
          ? { ...args, flags: O_WRONLY | O_TRUNC }
          : args;
      },
    });
  })
);

/** Good requests, which succeed. */
const SUCCESSES: Case[] = USUAL.map(({ name, mutates }) =>
  succeeds(name as Usual, "an ordinary request", {
    alone: ALONE.has(name),
    args: (trial) => GOOD[name as Usual](trial) as never,
    quiet: !mutates,
    check() {},
  })
);

/** See the module. */
export const GENERATED: readonly Case[] = [
  ...SUCCESSES,
  ...USUAL.flatMap(wrongArguments),
  ...wrongObjects(),
  ...UNREADABLE,
  ...DAMAGED,
  ...READ_ONLY,
  ...UNSTORED,
];
