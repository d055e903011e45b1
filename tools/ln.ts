/**
 * `nextfs ln`: links of both kinds.
 *
 * @module
 */

import type { Client, Node } from "../rpc/mod.ts";
import { type Command, command, toggle } from "./cli.ts";
import { PathError } from "./errors.ts";
import { intoTarget } from "./into_target.ts";
import { toBytes } from "./names.ts";
import {
  isSameNode,
  makeOver,
  occupant,
  type Place,
  placeKey,
} from "./place.ts";
import { isDirectory, nodeOf, resolve, resolveParent } from "./remote_walk.ts";
import { CONNECT, withSession } from "./session.ts";

/** The command `ln`. */
export const ln: Command = command({
  name: "ln",
  summary: "Give files more names, or make symbolic links",
  operands: "SOURCE… TARGET",
  least: 2,
  flags: {
    symbolic: toggle("Symbolic links, which hold SOURCE as it is", "s"),
    force: toggle("Replace a file that exists", "f"),
    ...CONNECT,
  },
  example: "nextfs ln -s --connect unix:files.img.sock README.md /link",
  run: (values, operands) =>
    withSession("ln", values, async (session) => {
      await intoTarget(session, operands, async (source, target) => {
        const { client } = session.files;
        const { symbolic, force } = values;
        const link = symbolic
          ? await symbolicLink(client, source, target)
          : await hardLink(client, source, target);
        if (!force) await link.make(link.place);
        else if (await mayReplace(client, link, target)) {
          await makeOver(client, link.place, link.make);
        }
      });
    }),
});

/** A link that is to be made: where, how, and what it leads to. */
interface Link {
  symbolic: boolean;
  place: Place;
  make: (place: Place) => Promise<unknown>;
  /** What it leads to now; null for a symbolic link that leads nowhere. */
  node: Node | null;
  /** The place of that, where it has a name. */
  source: Place | null;
}

async function hardLink(
  client: Client,
  source: string,
  target: Uint8Array,
): Promise<Link> {
  // The source first: if it is missing, the target stays as it is.
  const path = toBytes(source);
  const node = nodeOf(await resolve(client, path, { follow: false }));
  return {
    symbolic: false,
    place: await resolveParent(client, target),
    make: (place) => client.call("link", { node, ...place }),
    node,
    source: await resolveParent(client, path).catch(() => null),
  };
}

async function symbolicLink(
  client: Client,
  text: string,
  target: Uint8Array,
): Promise<Link> {
  const path = toBytes(text);
  const place = await resolveParent(client, target);
  // What the link holds is a path from the directory that the link is in.
  const from = place.dir;
  return {
    symbolic: true,
    place,
    make: (place) => client.call("symlink", { ...place, target: path }),
    node: await resolve(client, path, { follow: false, from })
      .catch(() => null),
    source: await resolveParent(client, path, from).catch(() => null),
  };
}

/**
 * Whether the link may take its place, and need be made at all. Throws if that
 * would lose the file it leads to, or a directory.
 */
async function mayReplace(
  client: Client,
  { symbolic, place, node, source }: Link,
  target: Uint8Array,
): Promise<boolean> {
  const there = await occupant(client, place);
  if (!there) return true;
  if (isDirectory(there)) {
    throw new PathError(target, "Is a directory: not replaced");
  }
  if (!node || !isSameNode(node, there)) return true;
  const sameName = source !== null && placeKey(source) === placeKey(place);
  if (sameName || there.nlink === 1) {
    throw new PathError(target, "Source and target are the same file");
  }
  // A second name of the source that is there already stays as it is; a
  // symbolic link takes the name, and the file keeps its other one.
  return symbolic;
}
