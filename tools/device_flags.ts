/**
 * The flags of commands that open a volume or an image.
 *
 * @module
 */

import {
  type DeviceSpec,
  parseDeviceSpec,
} from "../bd/original/device_spec.ts";
import { integer, option, path, setting, size, type Values } from "./cli.ts";
import { journalSize } from "./journal_size.ts";
import { ANCHOR, UNLOCK } from "./unlock.ts";

/** Least memory for tree nodes. */
const TREE_CACHE_MIN = 64 << 10;

function treeCache(value: string): number {
  const bytes = size(value);
  if (bytes >= TREE_CACHE_MIN) return bytes;
  throw new RangeError(`'${value}' is too little: at least 64K`);
}

function onOrOff(value: string): boolean {
  if (value === "on" || value === "off") return value === "on";
  throw new RangeError(`'${value}' is not on or off`);
}

function deviceSpec(value: string): DeviceSpec<string> {
  return parseDeviceSpec(value);
}

/** The flags of commands that open a volume or an image. */
export const DEVICE_FLAGS = {
  "block-device": option(
    "DEVICE",
    "What IMAGE is: bdstd, bdcrypt:SECRET:CIPHER, bdverity:TREE:SECRET:ROOT " +
      "or bdvericrypt:TREE:SECRET:ROOT:SECRET:CIPHER",
    deviceSpec,
    "b",
  ),
  "root-file": option(
    "PATH",
    "Keep the trusted state of IMAGE in this file",
    path,
  ),
  "tree-cache": setting(
    "SIZE",
    "Memory for nodes of the hash tree",
    treeCache,
    {
      fallback: "32M",
    },
  ),
  ...UNLOCK,
  ...ANCHOR,
  "accept-rollback": option(
    "GENERATION",
    "Take the volume as it is, if it is at this generation, though its anchor " +
      "or root file says that it was rolled back",
    integer(0, Number.MAX_SAFE_INTEGER),
  ),
  journal: option(
    "on|off",
    "Whether changes of IMAGE take effect as a whole or not at all, by a " +
      "journal in IMAGE.journal (default: off)",
    onOrOff,
  ),
  "journal-size": option(
    "SIZE",
    "Size of a journal of IMAGE that is made, 1M to 1G (default: a 16th of " +
      "the image, 4M to 64M)",
    journalSize,
  ),
};

/** Flags that only images have a use for. */
export const IMAGE_FLAGS = [
  "block-device",
  "root-file",
  "journal",
  "journal-size",
] as const;

/** What there is to say about secrets, for the help. */
export const DEVICE_NOTES: string[] = [
  "A VOLUME of ours is a directory that 'nextfs init' made; its passphrase or " +
  "key comes from --keyfile, --passfile, --extpass, from the file that " +
  "NEXTFS_PASSFILE names, or from a prompt. An IMAGE is plain unless " +
  "--block-device says more; SECRET there is file=PATH, env=NAME or fd=N, and " +
  "ROOT is HEX@LEAVES or file=PATH, a root file.",
  "--accept-rollback is the way out after a backup was put back on purpose: " +
  "the message that the volume was rolled back says at which generation it " +
  "is. Opened for writing, that becomes the present state; opened read-only, " +
  "it is looked at, and nothing is changed.",
];

/** The values of {@link DEVICE_FLAGS}. */
export type DeviceValues = Values<typeof DEVICE_FLAGS>;
