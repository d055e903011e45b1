/**
 * Images of the original's with a past and a twin.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import { BorrowedDevice } from "../../bd/borrowed.ts";
import { type CipherName, CryptDevice } from "../../bd/crypt.ts";
import { MemoryDevice } from "../../bd/memory.ts";
import { MemoryFile } from "../../bd/memory_file.ts";
import { buildTree } from "../../bd/original/build_tree.ts";
import type { DeviceSpec } from "../../bd/original/device_spec.ts";
import {
  deriveImageKey,
  openOriginal,
} from "../../bd/original/open_original.ts";
import { originalTreeBytes } from "../../bd/tree_builder.ts";
import type { TrustedState } from "../../bd/trusted_state.ts";
import { Filesystem } from "../../fs/mod.ts";
import { formatted } from "./images.ts";
import { overwrite, populate, readWhole } from "./reading.ts";
import {
  type FileName,
  type Files,
  type OpenScene,
  plaintext,
  type Scene,
} from "./scene.ts";

const PASSWORD = new TextEncoder().encode("password");
const MAC_PASSWORD = new TextEncoder().encode("mac password");

/** What an image is. */
export interface OriginalShape {
  /** How it is encrypted; not at all if null. */
  readonly cipher: CipherName | null;
  readonly blockSize: number;
  readonly blockCount: number;
}

/** Image and tree, and what vouches for them. */
interface Made {
  readonly files: Files;
  readonly state: TrustedState;
}

/** Image and tree for the plaintext of `plain`. */
async function make(
  plain: MemoryDevice,
  { cipher, blockSize, blockCount }: OriginalShape,
): Promise<Made> {
  const image = new MemoryDevice(blockSize, blockCount);
  const bytes = new Uint8Array(blockSize * blockCount);
  plain.read(0, bytes);
  if (cipher === null) image.write(0, bytes);
  else {
    const key = deriveImageKey(PASSWORD, cipher);
    const top = new CryptDevice(new BorrowedDevice(image), { cipher, key });
    top.write(0, bytes);
    top.close();
  }
  image.read(0, bytes);
  const tree = new MemoryFile(originalTreeBytes(blockCount, 32));
  const state = await buildTree(image, tree, {
    algorithm: "sha256",
    key: MAC_PASSWORD,
    workers: 0,
  });
  const files: [FileName, Uint8Array][] = [
    ["image", bytes],
    ["tree", tree.bytes],
  ];
  return { files: new Map(files), state };
}

async function change(
  plain: MemoryDevice,
  visit: (fs: Filesystem) => void,
): Promise<void> {
  const fs = Filesystem.open(new BorrowedDevice(plain));
  visit(fs);
  await fs.close();
}

/** Two states of an image, one after the other. */
async function makeTwo(shape: OriginalShape, seed: number): Promise<Made[]> {
  const { blockSize, blockCount } = shape;
  const plain = formatted({ blockSize, blockCount, inodeCount: 48 });
  await change(plain, (fs) => populate(fs, seed));
  const first = await make(plain, shape);
  await change(plain, (fs) => overwrite(fs, seed + 1));
  return [first, await make(plain, shape)];
}

function specOf(
  tree: string,
  { cipher }: OriginalShape,
  { algorithm, root, leafCount }: TrustedState,
): DeviceSpec {
  return {
    device: cipher ? "bdvericrypt" : "bdverity",
    crypt: cipher && { cipher, password: PASSWORD },
    verity: {
      tree,
      password: MAC_PASSWORD,
      root: { kind: "value", algorithm, root, leafCount },
    },
  };
}

/** Makes an image in `dir`; its present root is what is trusted. */
export async function makeOriginalScene(
  dir: string,
  shape: OriginalShape,
): Promise<Scene> {
  const { cipher, blockSize, blockCount } = shape;
  const path = `${dir}/${cipher}-${blockSize}`;
  const paths = new Map<FileName, string>([
    ["image", `${path}.image`],
    ["tree", `${path}.tree`],
  ]);
  const rootFile = `${path}.root`;
  const open = (
    state: TrustedState,
    { writable = false }: OpenScene = {},
  ): BlockDevice =>
    openOriginal(
      paths.get("image")!,
      specOf(paths.get("tree")!, shape, state),
      {
        readOnly: !writable,
        rootFile,
        treeCache: 64 << 10,
        log: () => {},
      },
    ).device;
  const [, twin, ...made] = [
    ...await makeTwo(shape, 5),
    ...await makeTwo(shape, 1),
  ];
  const [twinMoment, ...moments] = [twin, ...made]
    .map(({ files, state }, contents) => {
      for (const [name, bytes] of files) {
        Deno.writeFileSync(paths.get(name)!, bytes);
      }
      const used = Array(blockCount).fill(true);
      const plain = plaintext(open(state));
      return { files, contents, descriptor: 0, plain, used };
    });
  const { state } = made[made.length - 1];
  const openNow = (options?: OpenScene): Promise<BlockDevice> =>
    Promise.resolve(open(state, options));
  return {
    name: `${cipher ? "bdvericrypt" : "bdverity"}, blocks of ${blockSize}`,
    paths,
    rootFile,
    tree: "array",
    isEncrypted: cipher !== null,
    blockSize,
    blockCount,
    moments,
    twin: twinMoment,
    reading: await readWhole(() => openNow()),
    open: openNow,
  };
}
