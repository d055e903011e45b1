/**
 * The demonstration: an image of the project's own files, made once.
 *
 * @module
 */

import { errnoOf } from "./errors.ts";
import { type HostNode, hostNode, walkHostTree } from "./host_tree.ts";
import { makeFromTree, makefsDefaults } from "./makefs.ts";

/** Where the demonstration is, and what to try with it. */
export interface Demo {
  /** Path of the image. */
  image: string;
  /** Path of the socket it is served on. */
  socket: string;
  /** What to tell the user. */
  advice: string;
}

const DIRECTORY = "demo";
const IMAGE = `${DIRECTORY}/nextfs.img`;
const SOCKET = `${DIRECTORY}/nextfs.sock`;
const SIZE = 64 << 20;

/** The project's own files: what a clone holds, less git's and the demo. */
const PROJECT_FILES = [
  "LICENSE",
  "README.md",
  "bd",
  "bench",
  "deno.json",
  "docs",
  "fs",
  "main.ts",
  "mod.ts",
  "rpc",
  "tests",
  "tools",
];

/** Makes the demonstration's image, unless it is there. */
export async function makeDemo(): Promise<Demo> {
  if (!exists(IMAGE)) {
    console.log(`Making ${IMAGE} from the project's own files`);
    Deno.mkdirSync(DIRECTORY, { recursive: true });
    const settings = { ...makefsDefaults(), size: SIZE, label: "nextfs-demo" };
    await makeFromTree(IMAGE, settings, projectTree());
  }
  const nextfs = `npx -y deno@${Deno.version.deno} task nextfs`;
  return {
    image: IMAGE,
    socket: SOCKET,
    advice: "Try in another terminal:\n" +
      `  ${nextfs} ls -l --connect unix:${SOCKET} /`,
  };
}

function projectTree(): HostNode {
  const path = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
  const root = hostNode(path, path);
  root.children = PROJECT_FILES
    .filter((name) => exists(`${path}/${name}`))
    .map((name) => ({ ...walkHostTree(`${path}/${name}`), name }));
  return root;
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
