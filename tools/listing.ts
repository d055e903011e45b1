/**
 * `nextfs ls` and `nextfs tree`: what directories hold.
 *
 * @module
 */

import {
  type Attributes,
  S_IFBLK,
  S_IFCHR,
  S_IFLNK,
  S_IFMT,
} from "../fs/attributes.ts";
import type { DirEntry } from "../rpc/mod.ts";
import {
  type Command,
  command,
  integer,
  option,
  toggle,
  type Values,
} from "./cli.ts";
import { modeString } from "./mode.ts";
import { compareBytes, joinPath, printable, toBytes } from "./names.ts";
import { attributeFields, nameFields } from "./remote_json.ts";
import { CONNECT, type Session, withSession } from "./session.ts";
import { humanSize } from "./sizes.ts";
import { listTime } from "./times.ts";
import { isDirectory } from "./remote_walk.ts";

const lsFlags = {
  long: toggle("Long format: mode, links, owner, size, time", "l"),
  all: toggle("Also names that start with a dot", "a"),
  recursive: toggle("Directories below, too", "R"),
  directory: toggle("Directories themselves, not what they hold", "d"),
  human: toggle("Sizes as 1.5K, 3M (with -l)", "h"),
  json: toggle("JSON: an array of entries with all attributes"),
  ...CONNECT,
};

/** A file on its way to the output. */
interface Listed {
  name: Uint8Array;
  path: Uint8Array;
  attributes: Attributes;
  target?: Uint8Array;
}

/** The command `ls`. */
export const ls: Command = command({
  name: "ls",
  summary: "List directories and files",
  operands: "[PATH…]",
  least: 0,
  flags: lsFlags,
  notes: [
    "Names come out byte by byte; on a terminal, control characters and " +
    "bytes that are not UTF-8 are escaped as in \\033.",
  ],
  example: "nextfs ls -l --connect unix:files.img.sock /",
  run: (values, operands) =>
    withSession("ls", values, async (session) => {
      const lister = new Lister(session, values);
      await lister.list(operands.length > 0 ? operands : ["/"]);
    }),
});

class Lister {
  readonly #session: Session;
  readonly #values: Values<typeof lsFlags>;
  readonly #json: unknown[] = [];
  readonly #now = Date.now();
  #headers = false;
  #first = true;

  constructor(session: Session, values: Values<typeof lsFlags>) {
    this.#session = session;
    this.#values = values;
  }

  async list(paths: string[]): Promise<void> {
    const files: Listed[] = [];
    const directories: Listed[] = [];
    this.#headers = paths.length > 1 || this.#values.recursive;
    for (const path of paths) {
      await this.#session.reporter.attempt(path, async () => {
        const listed = await this.#operand(toBytes(path));
        const plain = this.#values.directory || !isDirectory(listed.attributes);
        (plain ? files : directories).push(listed);
      });
    }
    if (files.length > 0) {
      this.#print(files);
      this.#first = false;
    }
    for (const directory of directories) await this.#directory(directory);
    if (this.#values.json) this.#session.output.json(this.#json);
  }

  /** What an operand names: `ls link` shows the directory it leads to. */
  async #operand(path: Uint8Array): Promise<Listed> {
    const { files } = this.#session;
    const { long, directory } = this.#values;
    let { attributes } = await files.lstat(path);
    if (isLink(attributes) && !long && !directory) {
      const target = await files.stat(path).catch(() => ({ attributes }));
      attributes = target.attributes;
    }
    return await this.#withTarget({ name: path, path, attributes });
  }

  async #directory(directory: Listed): Promise<void> {
    const entries: Listed[] = [];
    await this.#session.reporter.attempt(directory.path, async () => {
      for await (const entry of this.#session.files.readDir(directory.path)) {
        if (this.#values.all || entry.nameBytes[0] !== 0x2e) {
          entries.push(this.#entry(directory.path, entry));
        }
      }
    });
    entries.sort((a, b) => compareBytes(a.name, b.name));
    if (this.#values.long || this.#values.json) {
      for (const entry of entries) await this.#withTarget(entry);
    }
    if (!this.#values.json) this.#header(directory, entries);
    this.#print(entries);
    if (!this.#values.recursive) return;
    for (const entry of entries) {
      if (isDirectory(entry.attributes)) await this.#directory(entry);
    }
  }

  #entry(directory: Uint8Array, entry: DirEntry): Listed {
    const { nameBytes: name, attributes } = entry;
    return { name, path: joinPath(directory, name), attributes };
  }

  async #withTarget(listed: Listed): Promise<Listed> {
    if (isLink(listed.attributes)) {
      listed.target = await this.#session.files.readLinkBytes(listed.path)
        .catch(() => undefined);
    }
    return listed;
  }

  #header(directory: Listed, entries: Listed[]): void {
    const { output } = this.#session;
    if (this.#headers) {
      if (!this.#first) output.line("");
      output.name(directory.path);
      output.line(":");
    }
    this.#first = false;
    if (this.#values.long) {
      const blocks = entries.reduce((sum, e) => sum + e.attributes.blocks, 0);
      output.line(`total ${this.#size(blocks * 512, 1024)}`);
    }
  }

  #print(entries: Listed[]): void {
    if (this.#values.json) {
      for (const { name, path, attributes, target } of entries) {
        this.#json.push({
          ...nameFields("name", name),
          ...nameFields("path", path),
          ...attributeFields(attributes),
          ...(target ? nameFields("target", target) : {}),
        });
      }
    } else if (this.#values.long) {
      this.#printLong(entries);
    } else if (this.#session.output.terminal) {
      this.#printColumns(entries.map(({ name }) => printable(name)));
    } else {
      for (const { name } of entries) this.#printName(name);
    }
  }

  #printName(name: Uint8Array): void {
    this.#session.output.name(name);
    this.#session.output.line("");
  }

  #printLong(entries: Listed[]): void {
    const { output } = this.#session;
    const rows = entries.map(({ attributes: a }) => [
      String(a.nlink),
      String(a.uid),
      String(a.gid),
      isDevice(a) ? `${a.rdev.major}, ${a.rdev.minor}` : this.#size(a.size, 1),
    ]);
    const widths = [0, 1, 2, 3].map((column) =>
      Math.max(0, ...rows.map((row) => row[column].length))
    );
    entries.forEach(({ name, attributes, target }, i) => {
      const cells = rows[i].map((cell, column) =>
        cell.padStart(widths[column])
      );
      const time = listTime(attributes.mtime, this.#now);
      output.text(`${modeString(attributes.mode)} ${cells.join(" ")} ${time} `);
      output.name(name);
      if (target) {
        output.text(" -> ");
        output.name(target);
      }
      output.line("");
    });
  }

  /** Fills columns from top to bottom, as ls does on a terminal. */
  #printColumns(names: string[]): void {
    if (names.length === 0) return;
    const width = Math.max(...names.map((name) => name.length)) + 2;
    const columns = Math.max(1, Math.floor(terminalWidth() / width));
    const height = Math.ceil(names.length / columns);
    for (let row = 0; row < height; row++) {
      let line = "";
      for (let i = row; i < names.length; i += height) {
        line += names[i].padEnd(width);
      }
      this.#session.output.line(line.trimEnd());
    }
  }

  #size(bytes: number, unit: number): string {
    return this.#values.human ? humanSize(bytes) : String(bytes / unit);
  }
}

const treeFlags = {
  all: toggle("Also names that start with a dot", "a"),
  level: option(
    "DEPTH",
    "Levels of directories to descend into",
    integer(1, 1000),
    "L",
  ),
  json: toggle("JSON: nested entries with all attributes"),
  ...CONNECT,
};

/** The command `tree`. */
export const tree: Command = command({
  name: "tree",
  summary: "Show directories as a tree",
  operands: "[PATH…]",
  least: 0,
  flags: treeFlags,
  example: "nextfs tree --connect unix:files.img.sock /docs",
  run: (values, operands) =>
    withSession("tree", values, async (session) => {
      const drawer = new TreeDrawer(session, values);
      await drawer.draw(operands.length > 0 ? operands : ["/"]);
    }),
});

/** A name, and what it names. */
type Entry = Pick<Listed, "name" | "attributes">;

class TreeDrawer {
  readonly #session: Session;
  readonly #values: Values<typeof treeFlags>;
  #directories = 0;
  #files = 0;

  constructor(session: Session, values: Values<typeof treeFlags>) {
    this.#session = session;
    this.#values = values;
  }

  async draw(paths: string[]): Promise<void> {
    const { output, files, reporter } = this.#session;
    const roots: unknown[] = [];
    for (const path of paths) {
      await reporter.attempt(path, async () => {
        const name = toBytes(path);
        const { attributes } = await files.stat(path);
        if (!this.#values.json) this.#line("", name);
        const below = isDirectory(attributes)
          ? await this.#below(name, { prefix: "", level: 1 })
          : [];
        roots.push(this.#json({ name, attributes }, below));
      });
    }
    if (this.#values.json) output.json(roots);
    else {
      output.line("");
      output.line(
        `${count(this.#directories, "directory", "directories")}, ` +
          count(this.#files, "file", "files"),
      );
    }
  }

  async #below(
    path: Uint8Array,
    { prefix, level }: { prefix: string; level: number },
  ): Promise<unknown[]> {
    const { files, reporter } = this.#session;
    const entries: Entry[] = [];
    await reporter.attempt(path, async () => {
      for await (const { nameBytes, attributes } of files.readDir(path)) {
        const shown = this.#values.all || nameBytes[0] !== 0x2e;
        if (shown) entries.push({ name: nameBytes, attributes });
      }
    });
    entries.sort((a, b) => compareBytes(a.name, b.name));
    const nested: unknown[] = [];
    for (const entry of entries) {
      const last = entry === entries.at(-1);
      const childPath = joinPath(path, entry.name);
      const target = isLink(entry.attributes)
        ? await files.readLinkBytes(childPath).catch(() => undefined)
        : undefined;
      if (!this.#values.json) {
        this.#line(prefix + (last ? "└── " : "├── "), entry.name, target);
      }
      const directory = isDirectory(entry.attributes);
      if (directory) this.#directories++;
      else this.#files++;
      const deeper = directory && level < (this.#values.level ?? Infinity);
      const below = deeper
        ? await this.#below(childPath, {
          prefix: prefix + (last ? "    " : "│   "),
          level: level + 1,
        })
        : [];
      nested.push(this.#json(entry, below, target));
    }
    return nested;
  }

  #line(prefix: string, name: Uint8Array, target?: Uint8Array): void {
    const { output } = this.#session;
    output.text(prefix);
    output.name(name);
    if (target) {
      output.text(" -> ");
      output.name(target);
    }
    output.line("");
  }

  #json(entry: Entry, contents: unknown[], target?: Uint8Array): unknown {
    if (!this.#values.json) return null;
    return {
      ...nameFields("name", entry.name),
      ...attributeFields(entry.attributes),
      ...(target ? nameFields("target", target) : {}),
      ...(isDirectory(entry.attributes) ? { contents } : {}),
    };
  }
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`;
}

function isLink(attributes: Attributes): boolean {
  return (attributes.mode & S_IFMT) === S_IFLNK;
}

function isDevice(attributes: Attributes): boolean {
  const kind = attributes.mode & S_IFMT;
  return kind === S_IFBLK || kind === S_IFCHR;
}

function terminalWidth(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80;
  }
}
