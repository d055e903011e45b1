/**
 * Modes of files: as `ls -l` writes them and as `chmod` reads them.
 *
 * @module
 */

import {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
} from "../fs/attributes.ts";

const KINDS = new Map<number, { letter: string; word: string; json: string }>([
  [S_IFREG, { letter: "-", word: "regular file", json: "file" }],
  [S_IFDIR, { letter: "d", word: "directory", json: "directory" }],
  [S_IFLNK, { letter: "l", word: "symbolic link", json: "link" }],
  [S_IFCHR, { letter: "c", word: "character special file", json: "char" }],
  [S_IFBLK, { letter: "b", word: "block special file", json: "block" }],
  [S_IFIFO, { letter: "p", word: "fifo", json: "fifo" }],
  [S_IFSOCK, { letter: "s", word: "socket", json: "socket" }],
]);
const UNKNOWN = { letter: "?", word: "unknown", json: "unknown" };

/** What a mode says of the kind of file, in words: `regular file`. */
export function kindWord(mode: number): string {
  return (KINDS.get(mode & S_IFMT) ?? UNKNOWN).word;
}

/** The kind as JSON output has it: `file`, `directory`, `link`, … */
export function kindJson(mode: number): string {
  return (KINDS.get(mode & S_IFMT) ?? UNKNOWN).json;
}

/** A mode as `ls -l` writes it: `drwxr-xr-t`. */
export function modeString(mode: number): string {
  const bits = [6, 3, 0].map((shift, i) => {
    const special = mode & (0o4000 >> i);
    const mark = i === 2 ? "t" : "s";
    const execute = mode >> shift & 1
      ? special ? mark : "x"
      : special
      ? mark.toUpperCase()
      : "-";
    return (mode >> shift & 4 ? "r" : "-") + (mode >> shift & 2 ? "w" : "-") +
      execute;
  });
  return (KINDS.get(mode & S_IFMT) ?? UNKNOWN).letter + bits.join("");
}

/** Four octal digits: `0644`. */
export function octalMode(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}

/** Changes a mode into another. */
export type ModeChange = (mode: number) => number;

const CLAUSE = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/;
const ACTION = /([-+=])([rwxXst]*|[ugo])(?=[-+=]|$)/g;
const WHO: Record<string, number> = { u: 0o4700, g: 0o2070, o: 0o1007 };

/**
 * Reads a mode as chmod(1) takes it: octal (`755`) or symbolic (`u+x,go-w`,
 * `a=rX`, `g=u`). Without a letter for whom, all are meant: no umask applies.
 * Throws `RangeError` if it is neither.
 */
export function parseModeChange(text: string): ModeChange {
  if (/^[0-7]{1,4}$/.test(text)) {
    const mode = parseInt(text, 8);
    return () => mode;
  }
  const steps = text.split(",").map(parseClause);
  if (steps.some((step) => step === null)) {
    throw new RangeError(`'${text}' is not a mode such as 755 or u+x,go-w`);
  }
  return (mode) =>
    steps.reduce((m, step) => step!(m), mode & (S_IFMT | 0o7777)) & 0o7777;
}

function parseClause(clause: string): ModeChange | null {
  const match = CLAUSE.exec(clause);
  if (!match) return null;
  const letters = match[1].replace("a", "ugo") || "ugo";
  let who = 0;
  for (const letter of letters) who |= WHO[letter];
  const actions = [...match[2].matchAll(ACTION)];
  return (mode) => {
    for (const [, operator, what] of actions) {
      mode = applyAction(mode, who, { operator, what });
    }
    return mode;
  };
}

function applyAction(
  mode: number,
  who: number,
  { operator, what }: { operator: string; what: string },
): number {
  const bits = permissionBits(mode, what) & who;
  if (operator === "+") return mode | bits;
  if (operator === "-") return mode & ~bits;
  // As chmod(1) does, a directory keeps its set-id bits unless named.
  const directory = (mode & S_IFMT) === S_IFDIR;
  const cleared = directory ? who & ~0o6000 : who;
  return mode & ~cleared | bits;
}

/** The bits that `what` stands for, for everybody. */
function permissionBits(mode: number, what: string): number {
  const copied = { u: 6, g: 3, o: 0 }[what];
  if (copied !== undefined) return (mode >> copied & 7) * 0o111;
  let bits = 0;
  for (const letter of what) {
    switch (letter) {
      case "r":
        bits |= 0o444;
        break;
      case "w":
        bits |= 0o222;
        break;
      case "x":
        bits |= 0o111;
        break;
      case "X":
        if ((mode & S_IFMT) === S_IFDIR || mode & 0o111) bits |= 0o111;
        break;
      case "s":
        bits |= 0o6000;
        break;
      case "t":
        bits |= 0o1000;
    }
  }
  return bits;
}
