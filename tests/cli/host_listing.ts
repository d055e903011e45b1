/**
 * What find(1) and sha256sum(1) say of a tree: the judges of copies.
 *
 * @module
 */

import { must } from "../support/tools.ts";

/**
 * One line for each file below `root`: path, kind, mode, size (but not of
 * directories), time of modification to the nanosecond, number of links (but
 * not of directories), target.
 */
export async function describeTree(root: string): Promise<string[]> {
  const both = "%P|%y|%m|%T@";
  const listing = await must(
    "find",
    root,
    "-mindepth",
    "1",
    ...["-type", "d", "-printf", `${both}\\n`],
    ...["-o", "-type", "l", "-printf", `${both}|%l\\n`],
    ...["-o", "-printf", `${both}|%s|%n\\n`],
  );
  return listing.split("\n").filter((line) => line !== "").sort();
}

/** One line for each regular file below `root`: its digest and its path. */
export async function digestTree(root: string): Promise<string[]> {
  const digests = await must(
    "sh",
    "-c",
    'cd "$0" && find . -type f -print0 | LC_ALL=C sort -z | ' +
      "xargs -0 -r sha256sum",
    root,
  );
  return digests.split("\n");
}

/** Sets of paths that are the same file: hard links, by their names. */
export async function linkGroups(root: string): Promise<string[]> {
  const listing = await must(
    "find",
    ...[root, "-type", "f", "-links", "+1", "-printf", "%i|%P\\n"],
  );
  const groups = new Map<string, string[]>();
  for (const line of listing.split("\n")) {
    const bar = line.indexOf("|");
    if (bar < 0) continue;
    const names = groups.get(line.slice(0, bar)) ?? [];
    names.push(line.slice(bar + 1));
    groups.set(line.slice(0, bar), names);
  }
  return [...groups.values()].map((names) => names.sort().join(" = ")).sort();
}
