/**
 * The volume of the worked example in docs/formats.md: made by the code, of
 * values that are fixed where they are otherwise random.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import type { ByteFile } from "../../bd/byte_file.ts";
import { CryptDevice } from "../../bd/crypt.ts";
import { createHmac } from "../../bd/hmac.ts";
import { createJournal, RING_START } from "../../bd/journal/checkpoint.ts";
import { type Contents, writeRecord } from "../../bd/journal/record.ts";
import { Ring } from "../../bd/journal/ring.ts";
import { StagedImage } from "../../bd/journal/staged_image.ts";
import { StagedTree } from "../../bd/journal/staged_tree.ts";
import { Staging } from "../../bd/journal/staging.ts";
import { encodeState, type VolumeState } from "../../bd/journal/state.ts";
import { deriveKey } from "../../bd/keys/derive.ts";
import { wrapKey } from "../../bd/keys/key_wrap.ts";
import { scrypt } from "../../bd/keys/scrypt.ts";
import type { KeySlot } from "../../bd/keys/key_slot.ts";
import { Slices } from "../../bd/slices.ts";
import { HostFile, StdDevice } from "../../bd/std.ts";
import { uuidBytes } from "../../bd/uuid.ts";
import { openPagedVerity, pagedTreeBytes } from "../../bd/open_verity.ts";
import { ANCHOR_BYTES, ANCHOR_SLOTS } from "../../bd/volume/anchor.ts";
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
import { recordFormat } from "../../bd/volume/keeper.ts";
import { Unlocked } from "../../bd/volume/unlock.ts";
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
  journalSize: 1 << 20,
  /** The blocks that were written, up to the state 3. */
  written: [0, 76, 77],
  /** The block that a record writes, which makes the state 4. */
  next: 5,
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
  /** Whether there is a record in the journal, which writes one more. */
  hasRecord?: boolean;
}

/** The descriptor of the example, or of one of another shape. */
export function exampleDescriptor(
  { device, blockCount = EXAMPLE.blockCount }: ExampleShape,
): Descriptor {
  const { id, blockSize, journalSize } = EXAMPLE;
  const shape = { blockSize, blockCount, journalSize };
  if (device === "std") return { nextfs: 2, id, device, ...shape };
  return signDescriptor(
    { nextfs: 2, id, device, ...shape, anchor: "beside", keys: slots() },
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
  const root = await writeFirst(path, { descriptor, written });
  const state = stateOf(descriptor, root);
  const journal = HostFile.open(`${path}/journal`, {
    create: EXAMPLE.journalSize,
  });
  const format = recordFormat(descriptor, unlocked(descriptor));
  await createJournal(journal, format, state);
  const states = [state];
  if (shape.hasRecord) {
    states.push(await writeNext(path, { descriptor, state, journal }));
  }
  journal.close();
  if (hasKey(descriptor)) await writeAnchor(path, states);
  return states.at(-1)!.root;
}

function unlocked(descriptor: Descriptor): Unlocked | null {
  if (!hasKey(descriptor)) return null;
  const masterKey = EXAMPLE.masterKey.slice();
  return new Unlocked(masterKey, descriptor.id, descriptor.keys[0]);
}

function stateOf(descriptor: Descriptor, root: Uint8Array): VolumeState {
  return {
    blockSize: descriptor.blockSize,
    id: uuidBytes(descriptor.id),
    epoch: EXAMPLE.epoch,
    generation: EXAMPLE.generation,
    leafCount: descriptor.blockCount,
    root,
    descriptor: hasKey(descriptor)
      ? descriptorDigest(descriptor)
      : new Uint8Array(32),
    nextDescriptor: new Uint8Array(32),
    unfinished: 0,
    chain: new Uint8Array(32),
  };
}

async function writeAnchor(
  path: string,
  states: readonly VolumeState[],
): Promise<void> {
  const mac = createHmac("sha256", EXAMPLE_KEYS.get("anchor"));
  const file = new Uint8Array(ANCHOR_BYTES);
  for (const state of states) {
    const slot = encodeState("anchor", state, mac);
    file.set(slot, ANCHOR_SLOTS[state.generation % 2]);
  }
  await Deno.writeFile(`${path}/anchor`, file);
}

/** Makes image and tree, with the blocks that were written; returns the root. */
async function writeFirst(
  path: string,
  what: { descriptor: Descriptor; written: readonly number[] },
): Promise<Uint8Array> {
  const { blockSize, blockCount } = what.descriptor;
  const create = (name: string, size: number): HostFile =>
    HostFile.open(`${path}/${name}`, { create: size });
  const image = create("image", blockSize * blockCount);
  const tree = hasTree(what.descriptor)
    ? create("tree", pagedTreeBytes(blockCount))
    : null;
  return await writeBlocks(new StdDevice(image, blockSize), tree, what);
}

/** Writes a record with one more block; returns the state that it makes. */
async function writeNext(
  path: string,
  { descriptor, state, journal }: {
    descriptor: Descriptor;
    state: VolumeState;
    journal: ByteFile;
  },
): Promise<VolumeState> {
  const { blockSize } = descriptor;
  const format = recordFormat(descriptor, unlocked(descriptor));
  const { nodeBytes } = format;
  const blocks = new Staging(blockSize);
  const nodes = new Staging(nodeBytes);
  using stack = new DisposableStack();
  const open = (name: string): HostFile =>
    stack.adopt(HostFile.open(`${path}/${name}`), (file) => file.close());
  const image = new StagedImage(open("image"), { blockSize, staging: blocks });
  const tree = hasTree(descriptor)
    ? new StagedTree(open("tree"), { nodeBytes, staging: nodes })
    : null;
  const written = [EXAMPLE.next];
  const what = { descriptor, written, root: state.root };
  const root = await writeBlocks(image, tree, what);
  const contents: Contents = {
    blocks: blocks.freeze(),
    nodes: nodes.freeze(),
  };
  const generation = state.generation + 1;
  const next = { ...state, root, generation };
  const ring = new Ring(journal, RING_START);
  const record = { position: 0, state: next, contents };
  return await writeRecord(ring, record, { format, slices: new Slices() });
}

/** Writes these blocks, and their leaves; returns the root. Closes both. */
async function writeBlocks(
  image: BlockDevice,
  tree: ByteFile | null,
  what: {
    descriptor: Descriptor;
    written: readonly number[];
    root?: Uint8Array;
  },
): Promise<Uint8Array> {
  const { descriptor, written } = what;
  const { blockSize, blockCount: leafCount } = descriptor;
  let { root = new Uint8Array(32) } = what;
  let device = image;
  if (tree) {
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
