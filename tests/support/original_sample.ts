/**
 * Images of the original's, made by the other implementation, with a file in
 * them.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { CipherName } from "../../bd/crypt.ts";
import type { HashAlgorithm } from "../../bd/hmac.ts";
import {
  type DeviceSpec,
  parseDeviceSpec,
  readSecrets,
} from "../../bd/original/device_spec.ts";
import {
  openOriginal,
  type OpenOriginalOptions,
  type OriginalImage,
} from "../../bd/original/open_original.ts";
import type { TrustedState } from "../../bd/trusted_state.ts";
import { Filesystem, ROOT_INODE } from "../../fs/mod.ts";
import { formatted, saveImage } from "./images.ts";
import { type Job, original } from "./original.ts";
import { withTempDir } from "./tools.ts";

const HELLO = new TextEncoder().encode("hello, original\n");
export const BLOCKS = 128;
export const MAC = "mac password";
const PASSWORD = "password";

/** An image in one of the original's formats, in the files of `dir`. */
export interface Sample {
  dir: string;
  blockSize: number;
  algorithm: HashAlgorithm;
  /** Key of the tree; null for plain hashes; undefined for no tree. */
  key?: string | null;
  cipher?: CipherName;
  /** Root of the tree, as hex. */
  root: string;
}

/** Makes `image` (and `tree`, `plain`) in `dir`, with a file `hello` in it. */
export async function makeSample(
  dir: string,
  shape: Partial<Omit<Sample, "dir" | "root">>,
): Promise<Sample> {
  const sample: Sample = {
    dir,
    blockSize: 1024,
    algorithm: "sha256",
    ...shape,
    root: "",
  };
  const { blockSize, cipher } = sample;
  const device = formatted({ blockSize, blockCount: BLOCKS, inodeCount: 32 });
  const fs = Filesystem.open(device);
  fs.write(fs.create(ROOT_INODE, "hello"), 0, HELLO);
  await fs.close();
  await saveImage(device, `${dir}/plain`);
  if (cipher === undefined) await Deno.copyFile(`${dir}/plain`, `${dir}/image`);
  else await original([encryptJob(sample, "image")]);
  if (sample.key === undefined) return sample;
  const [root] = await original([treeJob(sample, "tree")]);
  return { ...sample, root };
}

/** What makes `to`, the sample's plain image encrypted. */
export function encryptJob(
  { dir, blockSize, cipher }: Sample,
  to: string,
): Job {
  return {
    do: "encrypt",
    from: `${dir}/plain`,
    to: `${dir}/${to}`,
    cipher: cipher!,
    blockSize,
    password: PASSWORD,
  };
}

/** What makes `tree`, the tree of the sample's image. */
export function treeJob(sample: Sample, tree: string): Job {
  const { dir, blockSize, algorithm, key } = sample;
  return {
    do: "tree",
    image: `${dir}/image`,
    tree: `${dir}/${tree}`,
    algorithm,
    blockSize,
    key: key ?? null,
  };
}

/** The DEVICE of a sample, with another root perhaps. */
function specOf(
  { dir, key, cipher, root: made }: Sample,
  root = `${made}@${BLOCKS}`,
  { mac = key ?? "", password = PASSWORD } = {},
): DeviceSpec {
  const verity = key === undefined ? "" : `:${dir}/tree:${mac}:${root}`;
  const crypt = cipher === undefined ? "" : `:${password}:${cipher}`;
  const name = verity && crypt
    ? "bdvericrypt"
    : verity
    ? "bdverity"
    : crypt
    ? "bdcrypt"
    : "bdstd";
  return readSecrets(
    parseDeviceSpec(name + verity + crypt),
    (secret) => new TextEncoder().encode(secret),
  );
}

const quiet = { log: (): void => {} };

/** Opens a sample, by another root or other passwords perhaps. */
export function open(
  sample: Sample,
  root?: string,
  options: Partial<OpenOriginalOptions> & { mac?: string; password?: string } =
    {},
): OriginalImage {
  return openOriginal(`${sample.dir}/image`, specOf(sample, root, options), {
    ...quiet,
    ...options,
  });
}

/** Asserts that the file `name` is there with what it should hold. */
export function readHello(
  device: OriginalImage["device"],
  name = "hello",
): void {
  const fs = Filesystem.open(device, { readOnly: true });
  const into = new Uint8Array(100);
  const count = fs.read(fs.lookup(ROOT_INODE, name), 0, into);
  assert.deepEqual(into.subarray(0, count), HELLO);
}

/** Writes `count` files and closes the device; returns the last state. */
export async function change(
  image: OriginalImage,
  prefix: string,
  count = 5,
): Promise<TrustedState | null> {
  const fs = Filesystem.open(image.device);
  for (let i = 0; i < count; i++) {
    fs.write(fs.create(ROOT_INODE, `${prefix}${i}`), 0, HELLO);
    if (i % 2 === 0) await fs.sync();
  }
  await fs.close();
  return image.state();
}

/** Runs `visit` with a small verified and encrypted image. */
export async function withSample(
  shape: Partial<Sample>,
  visit: (sample: Sample) => void | Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    await visit(await makeSample(dir, shape));
  });
}
