/**
 * The layers of a volume's device, put together over its open files.
 *
 * @module
 */

import { type BlockDevice, DeviceError } from "../block_device.ts";
import type { ByteFile } from "../byte_file.ts";
import { CryptDevice } from "../crypt.ts";
import { hostError } from "../host_error.ts";
import { HostFile, InUseError, StdDevice } from "../std.ts";
import {
  openPagedVerity,
  pagedTreeBytes,
  type VerityDevice,
} from "../verity.ts";
import { Anchor } from "./anchor.ts";
import {
  type Descriptor,
  hasKey,
  hasTree,
  isEncrypted,
  type KeyedDescriptor,
} from "./descriptor.ts";
import {
  VOLUME_FILES,
  type VolumeDirectory,
  type VolumeFile,
} from "./directory.ts";
import { VolumeIntegrityError } from "./errors.ts";
import { checkAnchor, type Unlocked } from "./unlock.ts";

/** How the device of a volume is to work. */
export interface DeviceOptions {
  /** Refuse writes; the volume may be shared with other readers then. */
  readOnly?: boolean;
  /** Size of the cache of hash tree nodes, in bytes; 32 MiB if absent. */
  treeCache?: number;
  /** Takes a line for each block that does not verify. */
  log?: (message: string) => void;
  /** Open a copy that is being made, too, which is no volume to others. */
  copying?: boolean;
  /**
   * Puts a layer between the volume and each of its files, whose closing
   * becomes the layer's business; the file itself if absent.
   */
  wrap?: (file: ByteFile, name: VolumeFile) => ByteFile;
}

/** The layers of a volume. */
export interface Layers {
  /** The uppermost: plaintext blocks. Closing it closes all layers. */
  readonly device: BlockDevice;
  /** The one that verifies, if there is one. */
  readonly verity: VerityDevice | null;
  /** The anchor, where the volume has a key. */
  readonly anchor: Anchor | null;
}

/**
 * Opens the files of the volume and puts its layers together. A volume with a
 * key must have been `unlocked`; its keys are copied. Throws
 * {@link VolumeIntegrityError} if a file is not as it should be.
 */
export function assemble(
  directory: VolumeDirectory,
  what: { descriptor: Descriptor; unlocked: Unlocked | null },
  options: DeviceOptions,
): Layers {
  using stack = new DisposableStack();
  const builder = new Builder(directory, stack, options);
  const layers = builder.build(what.descriptor, what.unlocked);
  stack.move();
  return layers;
}

/** Opens files, and registers each to be closed if a later one fails. */
class Builder {
  readonly #directory: VolumeDirectory;
  readonly #stack: DisposableStack;
  readonly #options: DeviceOptions;

  constructor(
    directory: VolumeDirectory,
    stack: DisposableStack,
    options: DeviceOptions,
  ) {
    this.#directory = directory;
    this.#stack = stack;
    this.#options = options;
  }

  build(descriptor: Descriptor, unlocked: Unlocked | null): Layers {
    const { blockSize, blockCount } = descriptor;
    const anchor = unlocked && hasKey(descriptor)
      ? this.#anchor(descriptor, unlocked)
      : null;
    const image = this.#file("image", blockCount * blockSize);
    let device: BlockDevice = new StdDevice(image, blockSize);
    let verity: VerityDevice | null = null;
    if (unlocked && anchor && hasTree(descriptor)) {
      device = verity = this.#verity(device, { unlocked, anchor });
    }
    if (unlocked && isEncrypted(descriptor)) {
      device = new CryptDevice(device, {
        cipher: "aes-256-xts",
        key: unlocked.keys.get("image"),
        sparse: true,
      });
    }
    return { device, verity, anchor };
  }

  #anchor(descriptor: KeyedDescriptor, { keys }: Unlocked): Anchor {
    const file = this.#file("anchor");
    const anchor = Anchor.open(file, keys.get("anchor"));
    this.#stack.adopt(anchor, (one) => one.close());
    checkAnchor(anchor.state, descriptor, this.#options);
    return anchor;
  }

  #verity(
    next: BlockDevice,
    { unlocked: { keys }, anchor }: { unlocked: Unlocked; anchor: Anchor },
  ): VerityDevice {
    const { blockSize, blockCount: leafCount } = next;
    const tree = this.#file("tree", pagedTreeBytes(leafCount));
    const { root } = anchor.state;
    return openPagedVerity(next, tree, {
      leafKey: keys.get("leaf"),
      nodeKey: keys.get("node"),
      state: { algorithm: "sha256", blockSize, leafCount, root },
      treeCache: this.#options.treeCache,
      log: this.#options.log,
      publish: (state) => anchor.store({ root: state.root }),
    });
  }

  /** Opens one of the files, which must have `byteLength` bytes, if given. */
  #file(name: VolumeFile, byteLength?: number): ByteFile {
    const host = openFile(this.#directory, name, this.#options);
    const file = this.#options.wrap?.(host, name) ?? host;
    this.#stack.adopt(file, (one) => one.close());
    if (byteLength !== undefined && file.size !== byteLength) {
      throw new VolumeIntegrityError(
        `its ${
          VOLUME_FILES[name]
        } has ${file.size} bytes, and the descriptor ` +
          `says ${byteLength}: it was cut short, extended or replaced`,
      );
    }
    return file;
  }
}

/**
 * Opens one of the files of a volume. Throws {@link VolumeIntegrityError} if
 * it is missing, or no file.
 */
export function openFile(
  directory: VolumeDirectory,
  name: VolumeFile,
  { readOnly = false }: { readOnly?: boolean } = {},
): HostFile {
  const path = directory.pathOf(name);
  try {
    return HostFile.open(path, { readOnly, noLink: true });
  } catch (error) {
    if (error instanceof InUseError) throw error;
    const file = VOLUME_FILES[name];
    if (error instanceof Deno.errors.NotFound) {
      throw new VolumeIntegrityError(`its ${file} is missing`);
    }
    if (error instanceof DeviceError && error.code === "EINVAL") {
      throw new VolumeIntegrityError(`its ${file} is not a regular file`);
    }
    throw hostError(path, error);
  }
}
