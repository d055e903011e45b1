/**
 * Volumes of mke2fs and the kernel's driver in the original's formats: put
 * there by OpenSSL and Python, read and changed by the engine through our
 * devices, taken out by OpenSSL again, and judged by e2fsck and the kernel.
 */

import assert from "node:assert/strict";
import { parseDeviceSpec, readSecrets } from "../bd/original/device_spec.ts";
import { openOriginal } from "../bd/original/open_original.ts";
import type { CipherName } from "../bd/crypt.ts";
import { Filesystem } from "../fs/mod.ts";
import { changeEverything } from "./support/changes.ts";
import {
  changeByKernel,
  fillByKernel,
  kernelTree,
} from "./support/kernel_tree.ts";
import { opensslImage } from "./support/openssl_image.ts";
import { assertSameFile, original } from "./support/original.ts";
import {
  assertClean,
  must,
  testWith,
  withMount,
  withTempDir,
} from "./support/tools.ts";
import { assertSameTree, describeVolume, type Tree } from "./support/tree.ts";

interface Shape {
  device: "bdcrypt" | "bdverity" | "bdvericrypt";
  blockSize: number;
  cipher?: CipherName;
}

const SHAPES: readonly Shape[] = [
  { device: "bdcrypt", blockSize: 1024, cipher: "aes-256-cbc" },
  { device: "bdverity", blockSize: 2048 },
  { device: "bdvericrypt", blockSize: 4096, cipher: "aes-256-xts" },
  { device: "bdvericrypt", blockSize: 1024, cipher: "aes-256-cbc" },
];

/** Size of a volume, in bytes. */
const VOLUME_SIZE = 48 * 2 ** 20;
const PASSWORD = "the password";
const TREE_PASSWORD = "the other password";
/** Little, so that the devices are used all the time. */
const CACHE_BYTES = 256 << 10;

for (const shape of SHAPES) {
  const { device, cipher = "no cipher", blockSize } = shape;
  await testWith(
    [
      ...["e2fsprogs", "loop mounts", "setfattr", "setfacl"] as const,
      ...["node", "python3"] as const,
    ],
    `kernel and engine see and change the same tree through ${device}, ` +
      `${cipher}, ${blockSize}`,
    () => withTempDir((dir) => exchange(new Exchange(dir, shape))),
  );
}

/** A volume as plaintext, and as the original stores it. */
class Exchange {
  /** The plaintext. */
  readonly plain: string;
  readonly #dir: string;
  /** Its formats. */
  readonly shape: Shape;
  #root = "";

  constructor(dir: string, shape: Shape) {
    this.plain = `${dir}/plain`;
    this.#dir = dir;
    this.shape = shape;
  }

  /** Makes image and tree of the plaintext. */
  async store(): Promise<void> {
    await this.#crypt("encrypt", this.plain, `${this.#dir}/image`);
    this.#root = await this.#makeTree("tree");
  }

  /**
   * Makes the plaintext of the image, and compares the tree with one that is
   * made anew.
   */
  async load(): Promise<void> {
    await this.#crypt("decrypt", `${this.#dir}/image`, this.plain);
    if (this.shape.device === "bdcrypt") return;
    assert.equal(await this.#makeTree("expected"), this.#root);
    await assertSameFile(`${this.#dir}/tree`, `${this.#dir}/expected`);
  }

  /** Opens the image, and notes the root that it has in the end. */
  async open(
    visit: (fs: Filesystem) => void,
    { readOnly = false } = {},
  ): Promise<void> {
    const { device, cipher, blockSize } = this.shape;
    const leaves = VOLUME_SIZE / blockSize;
    const fields: string[] = [device];
    if (device !== "bdcrypt") {
      const root = `${this.#root}@${leaves}`;
      fields.push(`${this.#dir}/tree`, TREE_PASSWORD, root);
    }
    if (cipher) fields.push(PASSWORD, cipher);
    const spec = readSecrets(
      parseDeviceSpec(fields.join(":")),
      (secret) => new TextEncoder().encode(secret),
    );
    const options = { readOnly, log: assert.fail };
    const image = openOriginal(`${this.#dir}/image`, spec, options);
    const fs = Filesystem.open(image.device, {
      ...{ readOnly, atime: "noatime", cacheSize: CACHE_BYTES },
    });
    assert.deepEqual(fs.warnings, []);
    visit(fs);
    await fs.close();
    this.#root = image.state()?.root.toHex() ?? "";
  }

  async #crypt(
    what: "encrypt" | "decrypt",
    from: string,
    to: string,
  ): Promise<void> {
    const { cipher, blockSize } = this.shape;
    if (!cipher) return await Deno.copyFile(from, to);
    const password = PASSWORD;
    await opensslImage({ do: what, from, to, cipher, blockSize, password });
  }

  async #makeTree(name: string): Promise<string> {
    const { device, blockSize } = this.shape;
    if (device === "bdcrypt") return "";
    const [root] = await original([{
      do: "tree",
      image: `${this.#dir}/image`,
      tree: `${this.#dir}/${name}`,
      algorithm: "sha256",
      blockSize,
      key: TREE_PASSWORD,
    }]);
    return root;
  }
}

async function exchange(volume: Exchange): Promise<void> {
  const { plain } = volume;
  const { blockSize } = volume.shape;
  const shape = ["-b", String(blockSize), "-N", "8000", "-I", "256"];
  const blocks = String(VOLUME_SIZE / blockSize);
  await must("mke2fs", "-q", "-F", "-t", "ext2", ...shape, plain, blocks);
  await withMount(
    plain,
    "user_xattr,acl",
    (root) => fillByKernel(root, { blockSize, xattrs: true, acls: true }),
  );
  await volume.store();
  const theirs = await kernelTree(plain);
  assertSameTree(await ourTree(volume), theirs, "as the kernel left it");

  await volume.open((fs) => changeEverything(fs, { xattrs: true }));
  await volume.load();
  await assertClean(plain, "after our changes");
  const ours = await ourTree(volume);
  assertSameTree(await kernelTree(plain), ours, "as we left it");

  await withMount(plain, "rw", changeByKernel);
  await volume.store();
  const last = await kernelTree(plain);
  assertSameTree(await ourTree(volume), last, "at last");
}

async function ourTree(volume: Exchange): Promise<Tree> {
  let tree: Tree | null = null;
  await volume.open((fs) => tree = describeVolume(fs), { readOnly: true });
  return tree!;
}
