/**
 * `nextfs cat`, `nextfs stat` and `nextfs df`: what files and the volume are.
 *
 * @module
 */

import {
  type Attributes,
  S_IFBLK,
  S_IFCHR,
  S_IFLNK,
  S_IFMT,
  type VolumeStatistics,
} from "../fs/attributes.ts";
import { type Command, command, toggle } from "./cli.ts";
import { kindWord, modeString, octalMode } from "./mode.ts";
import { printable, toBytes } from "./names.ts";
import { attributeFields, nameFields } from "./remote_json.ts";
import { CONNECT, type Session, withSession } from "./session.ts";
import { humanSize } from "./sizes.ts";
import { fullTime } from "./times.ts";
import { formatUuid } from "../bd/uuid.ts";

/** The command `cat`. */
export const cat: Command = command({
  name: "cat",
  summary: "Write files to the standard output",
  operands: "PATH…",
  least: 1,
  flags: CONNECT,
  example: "nextfs cat --connect unix:files.img.sock /README.md",
  run: (values, paths) =>
    withSession("cat", values, async ({ files, output, reporter }) => {
      for (const path of paths) {
        await reporter.attempt(path, async () => {
          await using file = await files.open(path);
          for await (const chunk of file.chunks()) output.data(chunk);
        });
        output.flush();
      }
    }),
});

/** The command `stat`. */
export const stat: Command = command({
  name: "stat",
  summary: "Show all attributes of files",
  operands: "PATH…",
  least: 1,
  flags: {
    dereference: toggle("What a symbolic link leads to", "L"),
    json: toggle("JSON: an array of files with all attributes"),
    ...CONNECT,
  },
  example: "nextfs stat --connect unix:files.img.sock /README.md",
  run: (values, paths) =>
    withSession("stat", values, async (session) => {
      const { files, output, reporter } = session;
      const json: unknown[] = [];
      for (const path of paths) {
        await reporter.attempt(path, async () => {
          const { attributes } = values.dereference
            ? await files.stat(path)
            : await files.lstat(path);
          const target = await targetOf(session, path, attributes);
          if (values.json) {
            json.push({
              ...nameFields("path", toBytes(path)),
              ...attributeFields(attributes),
              ...(target ? nameFields("target", target) : {}),
            });
          } else output.text(statText(path, attributes, target));
        });
      }
      if (values.json) output.json(json);
    }),
});

async function targetOf(
  session: Session,
  path: string,
  { mode }: Attributes,
): Promise<Uint8Array | undefined> {
  if ((mode & S_IFMT) !== S_IFLNK) return undefined;
  return await session.files.readLinkBytes(path);
}

/** As stat(1) of GNU coreutils writes it. */
function statText(path: string, a: Attributes, target?: Uint8Array): string {
  const kind = a.mode & S_IFMT;
  const device = kind === S_IFBLK || kind === S_IFCHR
    ? `  Device type: ${a.rdev.major},${a.rdev.minor}`
    : "";
  const name = printable(path) + (target ? ` -> ${printable(target)}` : "");
  return [
    `  File: ${name}`,
    `  Size: ${String(a.size).padEnd(10)}\tBlocks: ${
      String(a.blocks).padEnd(10)
    } ${kindWord(a.mode)}`,
    ` Inode: ${String(a.ino).padEnd(10)}\tLinks: ${a.nlink}${device}`,
    `Access: (${octalMode(a.mode)}/${modeString(a.mode)})` +
    `  Uid: ${a.uid}   Gid: ${a.gid}`,
    `Access: ${fullTime(a.atime)}`,
    `Modify: ${fullTime(a.mtime)}`,
    `Change: ${fullTime(a.ctime)}`,
    ` Birth: ${a.birthtime ? fullTime(a.birthtime) : "-"}`,
    "",
  ].join("\n");
}

/** The command `df`. */
export const df: Command = command({
  name: "df",
  summary: "Show how full the volume is",
  operands: "",
  least: 0,
  most: 0,
  flags: {
    human: toggle("Sizes as 1.5K, 3M", "h"),
    inodes: toggle("Inodes instead of blocks", "i"),
    json: toggle("JSON: everything about the volume, sizes in bytes"),
    ...CONNECT,
  },
  example: "nextfs df -h --connect unix:files.img.sock",
  run: (values) =>
    withSession("df", values, async (session) => {
      const { files, output, endpoint } = session;
      const statistics = await files.statfs();
      if (values.json) {
        output.json(statisticsJson(statistics));
        return;
      }
      const size = (bytes: number): string =>
        values.human ? humanSize(bytes) : String(Math.ceil(bytes / 1024));
      const rows = values.inodes
        ? inodeRows(statistics, endpoint)
        : blockRows(statistics, endpoint, {
          size,
          title: values.human ? "Size" : "1K-blocks",
        });
      for (const line of alignRows(rows)) output.line(line);
    }),
});

function blockRows(
  s: VolumeStatistics,
  endpoint: string,
  { size, title }: { size: (bytes: number) => string; title: string },
): string[][] {
  const used = s.blocks - s.blocksFree;
  return [
    ["Filesystem", title, "Used", "Available", "Use%"],
    [
      endpoint,
      size(s.blocks * s.blockSize),
      size(used * s.blockSize),
      size(s.blocksAvailable * s.blockSize),
      percent(used, used + s.blocksAvailable),
    ],
  ];
}

function inodeRows(s: VolumeStatistics, endpoint: string): string[][] {
  const used = s.inodes - s.inodesFree;
  return [
    ["Filesystem", "Inodes", "IUsed", "IFree", "IUse%"],
    [
      endpoint,
      String(s.inodes),
      String(used),
      String(s.inodesFree),
      percent(used, s.inodes),
    ],
  ];
}

function percent(part: number, whole: number): string {
  return whole > 0 ? `${Math.ceil(part / whole * 100)}%` : "-";
}

function alignRows(rows: string[][]): string[] {
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => row[column].length))
  );
  return rows.map((row) =>
    row.map((cell, column) =>
      column === 0
        ? cell.padEnd(widths[column])
        : cell.padStart(widths[column] + 1)
    ).join("")
  );
}

function statisticsJson(s: VolumeStatistics): unknown {
  return {
    label: s.label,
    uuid: formatUuid(s.uuid),
    readOnly: s.readOnly,
    blockSize: s.blockSize,
    size: s.blocks * s.blockSize,
    free: s.blocksFree * s.blockSize,
    available: s.blocksAvailable * s.blockSize,
    inodes: s.inodes,
    inodesFree: s.inodesFree,
  };
}
