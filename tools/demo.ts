/**
 * The demonstration: an encrypted and verified volume of the project's own
 * files, made once, with a key file of its own.
 *
 * @module
 */

import { exists } from "../bd/volume/files.ts";
import { type HostNode, hostNode, walkHostTree } from "./host_tree.ts";
import { initDefaults, initFromTree } from "./init.ts";

/** Where the demonstration is, and what to try with it. */
export interface Demo {
  /** Path of the volume. */
  volume: string;
  /** Path of its key file. */
  keyfile: string;
  /** Path of the socket it is served on. */
  socket: string;
  /** What to tell the user. */
  advice: string;
}

const DIRECTORY = "demo";
const VOLUME = `${DIRECTORY}/volume`;
const KEY_FILE = `${DIRECTORY}/key`;
const KEY_BYTES = 32;
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

/** Makes the demonstration's volume, unless it is there. */
export async function makeDemo(): Promise<Demo> {
  if (!exists(VOLUME)) {
    console.log(`Making ${VOLUME} from the project's own files`);
    Deno.mkdirSync(DIRECTORY, { recursive: true });
    if (!exists(KEY_FILE)) makeKeyFile(KEY_FILE);
    const settings = {
      ...initDefaults(),
      size: SIZE,
      label: "nextfs-demo",
      keyfile: KEY_FILE,
    };
    await initFromTree(VOLUME, settings, projectTree());
  }
  const nextfs = `npx -y deno@${Deno.version.deno} task nextfs`;
  return {
    volume: VOLUME,
    keyfile: KEY_FILE,
    socket: SOCKET,
    advice: "Try in another terminal:\n" +
      `  ${nextfs} ls -l --connect unix:${SOCKET} /`,
  };
}

function makeKeyFile(path: string): void {
  const key = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  Deno.writeFileSync(path, key, { createNew: true, mode: 0o600 });
  key.fill(0);
}

function projectTree(): HostNode {
  const path = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
  const root = hostNode(path, path);
  root.children = PROJECT_FILES
    .filter((name) => exists(`${path}/${name}`))
    .map((name) => ({ ...walkHostTree(`${path}/${name}`), name }));
  return root;
}
