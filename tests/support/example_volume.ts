/**
 * The volume of the worked example in docs/formats.md: made by the code, of
 * values that are fixed where they are otherwise random.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import { CryptDevice } from "../../bd/crypt.ts";
import { createHmac } from "../../bd/hmac.ts";
import { deriveKey } from "../../bd/keys/derive.ts";
import { wrapKey } from "../../bd/keys/key_wrap.ts";
import { scrypt } from "../../bd/keys/scrypt.ts";
import type { KeySlot } from "../../bd/keys/key_slot.ts";
import { HostFile, StdDevice } from "../../bd/std.ts";
import { uuidBytes } from "../../bd/uuid.ts";
import { openPagedVerity, pagedTreeBytes } from "../../bd/open_verity.ts";
import {
  ANCHOR_BYTES,
  ANCHOR_SLOTS,
  encodeAnchor,
} from "../../bd/volume/anchor.ts";
import {
  type Descriptor,
  descriptorDigest,
  type DeviceKind,
  formatDescriptor,
  hasKey,
  hasTree,
  isEncrypted,
  signDescriptor,
} from "../../bd/volume/descriptor.ts";
import { VolumeKeys } from "../../bd/volume/volume_keys.ts";

/** `count` bytes, of which the first is `first` and each next one more. */
export function counting(first: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => first + i);
}

/** The block `number` of the example, and of the test vectors. */
export function exampleBlock(number: number, byteLength: number): Uint8Array {
  return Uint8Array.from(
    { length: byteLength },
    (_, i) => (number + i) % 251,
  );
}

/** What is otherwise random, or up to the owner. */
export const EXAMPLE = {
  id: "60616263-6465-4667-a869-6a6b6c6d6e6f",
  blockSize: 1024,
  blockCount: 100,
  /** The blocks that were written. */
  written: [0, 76, 77],
  keyFile: counting(0x00, 32),
  keyFileSalt: counting(0x20, 32),
  masterKey: counting(0x40, 32),
  epoch: counting(0x70, 16),
  passphrase: "correct horse battery staple",
  passphraseSalt: counting(0x80, 32),
  scrypt: { n: 1024, r: 8, p: 1 },
  created: "2026-01-02T03:04:05.678Z",
  generation: 3,
};

/** The keys by which the two slots of the example wrap the master key. */
export const EXAMPLE_KEKS = {
  keyFile: deriveKey(EXAMPLE.keyFile, {
    salt: EXAMPLE.keyFileSalt,
    label: "nextfs/1 keyfile",
    byteLength: 32,
  }),
  passphrase: scrypt(
    new TextEncoder().encode(EXAMPLE.passphrase),
    EXAMPLE.passphraseSalt,
    EXAMPLE.scrypt,
  ),
};

/** All keys of the example. */
export const EXAMPLE_KEYS: VolumeKeys = new VolumeKeys(
  EXAMPLE.masterKey,
  uuidBytes(EXAMPLE.id),
);

function slots(): KeySlot[] {
  const { created, masterKey, scrypt } = EXAMPLE;
  const { keyFile, passphrase } = EXAMPLE_KEKS;
  return [{
    id: 0,
    kind: "keyfile",
    label: "example",
    created,
    salt: EXAMPLE.keyFileSalt.toHex(),
    wrapped: wrapKey(keyFile, masterKey).toHex(),
  }, {
    id: 1,
    kind: "passphrase",
    created,
    scrypt,
    salt: EXAMPLE.passphraseSalt.toHex(),
    wrapped: wrapKey(passphrase, masterKey).toHex(),
  }];
}

/** In what a volume may differ from the example. */
export interface ExampleShape {
  /** Kind of its device. */
  device: DeviceKind;
  /** Number of blocks. */
  blockCount?: number;
  /** The blocks that were written. */
  written?: readonly number[];
}

/** The descriptor of the example, or of one of another shape. */
export function exampleDescriptor(
  { device, blockCount = EXAMPLE.blockCount }: ExampleShape,
): Descriptor {
  const { id, blockSize } = EXAMPLE;
  if (device === "std") return { nextfs: 1, id, device, blockSize, blockCount };
  return signDescriptor(
    { nextfs: 1, id, device, blockSize, blockCount, keys: slots() },
    EXAMPLE_KEYS.get("descriptor"),
  );
}

/**
 * Makes the example in the directory `path`, or a volume of another shape.
 * Returns its root, zeros if it has none.
 */
export async function makeExample(
  path: string,
  shape: ExampleShape,
): Promise<Uint8Array> {
  const descriptor = exampleDescriptor(shape);
  await Deno.mkdir(path);
  await Deno.writeFile(`${path}/volume.json`, formatDescriptor(descriptor));
  const { written = EXAMPLE.written } = shape;
  const root = await writeBlocks(path, { descriptor, written });
  if (!hasKey(descriptor)) return root;
  const mac = createHmac("sha256", EXAMPLE_KEYS.get("anchor"));
  const anchor = encodeAnchor({
    blockSize: descriptor.blockSize,
    id: uuidBytes(descriptor.id),
    epoch: EXAMPLE.epoch,
    generation: EXAMPLE.generation,
    leafCount: descriptor.blockCount,
    root,
    descriptor: descriptorDigest(descriptor),
    nextDescriptor: new Uint8Array(32),
    unfinished: 0,
  }, mac);
  const file = new Uint8Array(ANCHOR_BYTES);
  file.set(anchor, ANCHOR_SLOTS[EXAMPLE.generation % 2]);
  await Deno.writeFile(`${path}/anchor`, file);
  return root;
}

/** Makes image and tree, with the blocks that were written; returns the root. */
async function writeBlocks(
  path: string,
  what: { descriptor: Descriptor; written: readonly number[] },
): Promise<Uint8Array> {
  const { descriptor, written } = what;
  const { blockSize, blockCount: leafCount } = descriptor;
  let root = new Uint8Array(32);
  const create = (name: string, size: number): HostFile =>
    HostFile.open(`${path}/${name}`, { create: size });
  const image = create("image", blockSize * leafCount);
  let device: BlockDevice = new StdDevice(image, blockSize);
  if (hasTree(descriptor)) {
    const tree = create("tree", pagedTreeBytes(leafCount));
    device = openPagedVerity(device, tree, {
      leafKey: EXAMPLE_KEYS.get("leaf"),
      nodeKey: EXAMPLE_KEYS.get("node"),
      state: { algorithm: "sha256", blockSize, leafCount, root },
      publish: (state): Promise<void> => {
        root = state.root.slice();
        return Promise.resolve();
      },
    });
  }
  if (isEncrypted(descriptor)) {
    device = new CryptDevice(device, {
      cipher: "aes-256-xts",
      key: EXAMPLE_KEYS.get("image"),
      sparse: true,
    });
  }
  for (const number of written) {
    device.write(number, exampleBlock(number, blockSize));
  }
  await device.flush();
  device.close();
  return root;
}
