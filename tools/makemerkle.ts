/**
 * `nextfs makemerkle`: the hash tree that bd-verity needs beside an image.
 *
 * @module
 */

import { resolve } from "node:path";
import { DeviceError, HostFile, InUseError, StdDevice } from "../bd/mod.ts";
import {
  DIGEST_BYTES,
  HASH_ALGORITHMS,
  type HashAlgorithm,
} from "../bd/hmac.ts";
import { buildTree } from "../bd/original/build_tree.ts";
import { checkInPlace } from "../bd/original/image_journal.ts";
import { encodeState, ROOT_FILE_BYTES } from "../bd/original/root_file.ts";
import { originalTreeBytes } from "../bd/tree_builder.ts";
import type { TrustedState } from "../bd/trusted_state.ts";
import { probeBlockSize } from "../fs/mod.ts";
import {
  type Command,
  command,
  option,
  setting,
  text,
  toggle,
  type Values,
} from "./cli.ts";
import { errnoOf, NoVolumeError, PathError, UsageError } from "./errors.ts";
import { blockSize } from "./makefs.ts";
import { checkTarget, makeFile } from "./new_file.ts";
import { Progress } from "./progress.ts";
import { readSecret, secretText } from "./secret.ts";

/** Bytes at the start of an image that tell what it is. */
const HEAD_BYTES = 2048;

function algorithm(value: string): HashAlgorithm {
  const name = HASH_ALGORITHMS.find((name) => name === value);
  if (name) return name;
  throw new RangeError(
    `'${value}' is not a hash: ${HASH_ALGORITHMS.join(", ")}`,
  );
}

const flags = {
  algorithm: setting("HASH", HASH_ALGORITHMS.join(", "), algorithm, {
    short: "a",
    fallback: "sha256",
  }),
  "block-size": setting("BYTES", "Bytes of a block", blockSize, {
    short: "b",
    fallback: "4096",
  }),
  key: option(
    "SECRET",
    "Password that is the key: file:PATH, env:NAME, fd:N (default: no key)",
    secretText,
    "k",
  ),
  "root-file": option("PATH", "Keep the trusted state in this file", text),
  force: toggle("Replace files that exist"),
};

type Settings = Values<typeof flags>;

/** The command. */
export const makemerkle: Command = command({
  name: "makemerkle",
  summary: "Make the hash tree of an image",
  operands: "IMAGE TREE",
  least: 2,
  most: 2,
  flags,
  notes: [
    "Prints ROOT@LEAVES, which is what 'serve -b' has to be given, and on the " +
    "last line the root alone, as the original does. Both have to be kept " +
    "where the host of IMAGE and TREE cannot change them; a root file is such " +
    "a place if it is stored elsewhere, and 'serve' keeps it up to date.",
    "The tree of an encrypted image is over what is stored. The size of a " +
    "block has to be that of the image.",
    "Without a key, hashes are plain ones: only the root protects the image.",
  ],
  example: "nextfs makemerkle -k file:password files.img files.tree",
  async run(settings, [image, tree]): Promise<void> {
    const { force, "root-file": rootFile } = settings;
    const targets = rootFile === undefined ? [tree] : [tree, rootFile];
    for (const path of targets) checkTarget(path, force);
    checkApart([image, ...targets]);
    const file = openImage(image);
    let state: TrustedState;
    try {
      checkInPlace(image);
      checkImage(file, settings["block-size"]);
      state = await makeTree(file, tree, settings);
    } finally {
      file.close();
    }
    if (rootFile !== undefined) {
      await makeFile(rootFile, { size: ROOT_FILE_BYTES, force }, (file) => {
        file.writeAt(0, encodeState(state));
        return file.sync();
      });
    }
    const root = state.root.toHex();
    console.log(`${root}@${state.leafCount}\n${root}`);
  },
});

/** Throws {@link UsageError} if two of `paths` are the same file. */
function checkApart(paths: string[]): void {
  const files = paths.map(identity);
  const again = files.findIndex((file, i) => files.indexOf(file) < i);
  if (again < 0) return;
  throw new UsageError(
    `${paths[again]} is given twice: image, tree and root file are three files`,
  );
}

/** What two names of a file have in common; there may be none yet. */
function identity(path: string): string {
  try {
    const { dev, ino } = Deno.statSync(path);
    return `${dev} ${ino}`;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return resolve(path);
    throw new PathError(path, error);
  }
}

function warn(message: string): void {
  console.error(`nextfs makemerkle: ${message}`);
}

function openImage(path: string): HostFile {
  try {
    return HostFile.open(path, { readOnly: true });
  } catch (error) {
    if (error instanceof InUseError || error instanceof DeviceError) {
      throw error;
    }
    if (errnoOf(error) === "ENOENT") {
      throw new NoVolumeError(`${path}: No such image`);
    }
    throw new PathError(path, error);
  }
}

/** Throws {@link PathError} for an image that is not of whole blocks. */
function checkImage(file: HostFile, blockSize: number): void {
  if (file.size === 0 || file.size % blockSize !== 0) {
    throw new PathError(
      file.path,
      `${file.size} bytes are not a whole number of blocks of ${blockSize} ` +
        "bytes (give the size of a block with -b)",
    );
  }
  const volume = blockSizeOf(file);
  if (volume !== null && volume !== blockSize) {
    warn(
      `${file.path} is a volume with blocks of ${volume} bytes: to serve it ` +
        `with the tree, give -b ${volume}`,
    );
  }
}

/** Bytes of a block of the volume; null if that cannot be seen. */
function blockSizeOf(file: HostFile): number | null {
  const head = new Uint8Array(Math.min(HEAD_BYTES, file.size));
  file.readAt(0, head);
  try {
    return probeBlockSize(head);
  } catch {
    return null;
  }
}

async function makeTree(
  file: HostFile,
  path: string,
  settings: Settings,
): Promise<TrustedState> {
  const { algorithm, force } = settings;
  const image = new StdDevice(file, settings["block-size"]);
  const digest = DIGEST_BYTES[algorithm];
  const size = originalTreeBytes(image.blockCount, digest);
  const key = settings.key === undefined
    ? null
    : readSecret(settings.key, { what: "-k", warn });
  try {
    using progress = new Progress(file.size);
    return await makeFile(path, { size, force }, async (tree) => {
      const state = await buildTree(image, tree, {
        algorithm,
        key,
        progress: (bytes) => progress.add(bytes) ? progress.rest() : undefined,
      });
      await progress.rest();
      return state;
    });
  } finally {
    key?.fill(0);
  }
}
