/**
 * Every kind of device on the command line: images of the original's, and
 * volumes of our own. Each knows how it is made, served, and checked.
 *
 * @module
 */

import type { CipherName } from "../../bd/crypt.ts";
import type { DeviceKind as VolumeDevice } from "../../bd/volume/descriptor.ts";
import { assertClean, must, withTempDir } from "../support/tools.ts";
import { ok, type Serving, withServer, writeTree } from "./program.ts";

/** A device as a user makes it, by the commands there are for it. */
export interface DeviceKind {
  /** What it is called in the names of tests. */
  readonly name: string;
  /** Whether it is a volume of our own or an image of the original's. */
  readonly family: "volume" | "image";
  /** The cipher; absent if blocks are not encrypted. */
  readonly cipher?: CipherName;
  /** Whether a hash tree verifies it. */
  readonly hasTree: boolean;
  /** The device, as the commands call it. */
  readonly device: string;
}

function image(device: string, cipher?: CipherName): DeviceKind {
  const name = cipher ? `${device} with ${cipher}` : device;
  const hasTree = /veri/.test(device);
  return { name, family: "image", device, cipher, hasTree };
}

function volume(device: VolumeDevice): DeviceKind {
  const cipher = /crypt/.test(device) ? "aes-256-xts" : undefined;
  const hasTree = /veri/.test(device);
  return {
    name: `a ${device} volume`,
    family: "volume",
    device,
    cipher,
    hasTree,
  };
}

/** The plain image. */
export const PLAIN: DeviceKind = image("bdstd");

/** A volume of ours with all there is. */
export const VERICRYPT_VOLUME: DeviceKind = volume("vericrypt");

/** Every kind: six images, four volumes. */
export const DEVICE_KINDS: readonly DeviceKind[] = [
  PLAIN,
  image("bdcrypt", "aes-256-xts"),
  image("bdcrypt", "aes-256-cbc"),
  image("bdverity"),
  image("bdvericrypt", "aes-256-xts"),
  image("bdvericrypt", "aes-256-cbc"),
  volume("std"),
  volume("crypt"),
  volume("verity"),
  VERICRYPT_VOLUME,
];

/** The kinds that notice every change. */
export const VERIFIED_KINDS: readonly DeviceKind[] = DEVICE_KINDS
  .filter(({ hasTree }) => hasTree);

/**
 * Four devices and both ciphers, of both families by turns: for tests that
 * take too long to have them all.
 */
export const MAIN_KINDS: readonly DeviceKind[] = [
  PLAIN,
  image("bdcrypt", "aes-256-cbc"),
  volume("crypt"),
  image("bdverity"),
  image("bdvericrypt", "aes-256-cbc"),
  VERICRYPT_VOLUME,
];

/** What a new device is to be. */
export interface MakeOptions {
  /** Directory whose files go in; none if absent. */
  from?: string;
  /** Its size, as in `16M`; what the files need if absent. */
  size?: string;
  /** Bytes of a block; 4096 if absent. */
  blockSize?: number;
}

/** A device that was made, in the files of a directory. */
export class MadeDevice {
  /** What it is. */
  readonly kind: DeviceKind;
  /** VOLUME or IMAGE. */
  readonly path: string;
  /** Flags that open it. */
  readonly flags: readonly string[];
  /** The file with the stored blocks. */
  readonly image: string;
  /** The file with the hash tree; absent if it has none. */
  readonly tree?: string;
  /** The file that every flush changes last. */
  readonly changesLast: string;

  /** Made by {@link make}. */
  constructor(
    kind: DeviceKind,
    { path, flags }: Pick<MadeDevice, "path" | "flags">,
  ) {
    const isVolume = kind.family === "volume";
    this.kind = kind;
    this.path = path;
    this.flags = flags;
    this.image = isVolume ? `${path}/image` : path;
    if (kind.hasTree) this.tree = isVolume ? `${path}/tree` : `${path}.tree`;
    this.changesLast = !kind.hasTree
      ? this.image
      : isVolume
      ? `${path}/anchor`
      : `${path}.root`;
  }

  /** Flags and operand of the commands that open it. */
  get args(): string[] {
    return [...this.flags, this.path];
  }

  /** Writes the plaintext to a new file; returns its path. */
  async dump(): Promise<string> {
    const plain = `${this.path}.plain`;
    await ok(["dump", "--force", ...this.args, plain]);
    return plain;
  }

  /** Asserts that it verifies, if it can, and that e2fsck finds no fault. */
  async check(when = ""): Promise<string> {
    if (this.kind.hasTree) await ok(["verify", ...this.args]);
    const plain = await this.dump();
    await assertClean(plain, `${this.kind.name} ${when}`);
    return plain;
  }

  /** Serves it while `visit` runs. */
  serve(visit: (server: Serving) => Promise<void>): Promise<void> {
    return withServer(this.path, visit, this.flags);
  }
}

/** Makes a device of `kind` in `dir`, by the commands of the program. */
export async function make(
  kind: DeviceKind,
  dir: string,
  options: MakeOptions = {},
): Promise<MadeDevice> {
  return kind.family === "volume"
    ? await makeVolume(kind, dir, options)
    : await makeImage(kind, dir, options);
}

/** The flags for how large it is to be. */
function sizeFlags({ size, blockSize }: MakeOptions): string[] {
  return [
    ...(size === undefined ? [] : ["-s", size]),
    ...(blockSize === undefined ? [] : ["-b", String(blockSize)]),
  ];
}

/** One of them has a passphrase, which costs little; the others key files. */
async function makeVolume(
  kind: DeviceKind,
  dir: string,
  options: MakeOptions,
): Promise<MadeDevice> {
  const path = `${dir}/volume`;
  const flags: string[] = [];
  const cost: string[] = [];
  if (kind.device === "crypt") {
    flags.push("--passfile", `${dir}/passphrase`);
    cost.push("--scryptn", "10");
    await Deno.writeTextFile(`${dir}/passphrase`, "a passphrase\n");
  } else if (kind.device !== "std") {
    flags.push("--keyfile", `${dir}/key`);
    const key = crypto.getRandomValues(new Uint8Array(32));
    await Deno.writeFile(`${dir}/key`, key);
  }
  const from = options.from === undefined ? [] : ["--from", options.from];
  const device = ["--device", kind.device, ...sizeFlags(options)];
  await ok(["init", ...device, ...from, ...flags, ...cost, path]);
  return new MadeDevice(kind, { path, flags });
}

async function makeImage(
  kind: DeviceKind,
  dir: string,
  options: MakeOptions,
): Promise<MadeDevice> {
  const path = `${dir}/x.img`;
  const { cipher, hasTree } = kind;
  const password = `file=${dir}/password`;
  const treePassword = `file=${dir}/tree-password`;
  await Deno.writeTextFile(`${dir}/password`, "the password\n");
  await Deno.writeTextFile(`${dir}/tree-password`, "another password\n");
  const from = options.from === undefined ? [] : [options.from];
  const crypt = cipher ? ["-p", password, "-c", cipher] : [];
  await ok(["makefs", ...sizeFlags(options), ...crypt, path, ...from]);
  const fields = [kind.device];
  if (hasTree) {
    const block = String(options.blockSize ?? 4096);
    const root = ["--root-file", `${path}.root`];
    const key = ["-b", block, "-k", treePassword];
    await ok(["makemerkle", ...key, ...root, path, `${path}.tree`]);
    fields.push(`${path}.tree`, treePassword, `file=${path}.root`);
  }
  if (cipher) fields.push(password, cipher);
  const flags = kind.device === "bdstd" ? [] : ["-b", fields.join(":")];
  return new MadeDevice(kind, { path, flags });
}

/** What is served, in tests that need no more than some files. */
export interface ServedFiles {
  /** Names of files with their texts, as `writeTree()` takes them. */
  files: Record<string, string>;
  /** Size of the device; 16M if absent. */
  size?: string;
  /** The devices of the tests; {@link MAIN_KINDS} if absent. */
  kinds?: readonly DeviceKind[];
}

/** What is done with it, in a directory that has the files in `tree`. */
export type Visit = (
  server: Serving,
  dir: string,
  made: MadeDevice,
) => Promise<void>;

/**
 * Declares a test for each kind of device: it makes one of some files, of the
 * first of January 1970, serves it, and checks it in the end.
 */
export function testServed(
  name: string,
  what: ServedFiles,
  visit: Visit,
): void {
  for (const kind of what.kinds ?? MAIN_KINDS) {
    Deno.test(`${name}: ${kind.name}`, () => withServed(kind, what, visit));
  }
}

function withServed(
  kind: DeviceKind,
  { files, size = "16M" }: ServedFiles,
  visit: Visit,
): Promise<void> {
  return withTempDir(async (dir) => {
    const tree = `${dir}/tree`;
    await writeTree(tree, files);
    await must("find", tree, "-exec", "touch", "-d", "@0", "{}", "+");
    await must("chmod", "-R", "u=rwX,go=rX", tree);
    const made = await make(kind, dir, { from: tree, size });
    await made.serve((server) => visit(server, dir, made));
    await made.check("in the end");
  });
}
