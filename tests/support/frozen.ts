/**
 * Frozen volumes: archives in tests/frozen/ of volumes and images as they were
 * made once. Whatever nextfs becomes, it has to open them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import type { BlockDevice } from "../../bd/block_device.ts";
import type { Secret } from "../../bd/keys/key_slot.ts";
import { parseDeviceSpec, readSecrets } from "../../bd/original/device_spec.ts";
import { openOriginal } from "../../bd/original/open_original.ts";
import { openVolume } from "../../bd/volume/mod.ts";
import { S_IFREG } from "../../fs/mod.ts";
import { TarReader } from "../../tools/tar.ts";

/** The passphrase of all frozen volumes of our own that have a key. */
export const FROZEN_PASSPHRASE = "the passphrase of frozen volumes";
/** The bytes of their key file. */
export const FROZEN_KEY: Uint8Array = Uint8Array.from(
  { length: 48 },
  (_, i) => (i * i + 7) % 256,
);

/** One of the frozen volumes. */
export interface FrozenVolume {
  /** Its name: that of its archive, `NAME.tar.gz`. */
  readonly name: string;
  /** SHA-256 of the archive. */
  readonly sha256: string;
  /**
   * For an image of the original: DEVICE, in which TREE and a root file are
   * names in the archive. Absent for a volume of our own.
   */
  readonly device?: string;
}

const FOLDER = new URL("../frozen/", import.meta.url);

/** All frozen volumes, in the order of their names. */
export async function frozenVolumes(): Promise<FrozenVolume[]> {
  const text = await Deno.readTextFile(new URL("volumes.json", FOLDER));
  return JSON.parse(text);
}

/** The archive of a frozen volume. */
export function readArchive({ name }: FrozenVolume): Promise<Uint8Array> {
  return Deno.readFile(new URL(`${name}.tar.gz`, FOLDER));
}

/**
 * Puts the files of a frozen volume into the directory `dir`, which must be
 * empty: `volume/`, or `image` and what belongs to it.
 */
export async function unpack(volume: FrozenVolume, dir: string): Promise<void> {
  const bytes = gunzipSync(await readArchive(volume));
  let at = 0;
  const reader = new TarReader({
    read(into): number {
      const piece = bytes.subarray(at, at + into.length);
      into.set(piece);
      at += piece.length;
      return piece.length;
    },
  });
  for (let one = reader.next(); one; one = reader.next()) {
    const path = `${dir}/${new TextDecoder().decode(one.path)}`;
    if (one.kind !== S_IFREG) {
      await Deno.mkdir(path, { recursive: true });
      continue;
    }
    const contents = new Uint8Array(one.size);
    for (let done = 0; done < contents.length;) {
      const count = reader.read(contents.subarray(done));
      assert.ok(count > 0, `${path} ends early`);
      done += count;
    }
    await Deno.writeFile(path, contents);
  }
}

/** How a frozen volume is opened. */
export interface OpenFrozenOptions {
  /** Refuse changes. */
  readonly readOnly: boolean;
  /** Open a volume of our own by its passphrase; else it is the key file. */
  readonly byPassphrase?: boolean;
}

/** Opens what was unpacked into `dir`; closing the device closes all. */
export async function openFrozen(
  volume: FrozenVolume,
  dir: string,
  { readOnly, byPassphrase = false }: OpenFrozenOptions,
): Promise<BlockDevice> {
  if (volume.device === undefined) {
    const secret = (): Promise<Secret> =>
      Promise.resolve(
        byPassphrase
          ? {
            kind: "passphrase",
            bytes: new TextEncoder().encode(FROZEN_PASSPHRASE),
          }
          : { kind: "keyfile", bytes: FROZEN_KEY.slice() },
      );
    return (await openVolume(`${dir}/volume`, { readOnly, secret })).device;
  }
  const spec = volume.device.replace(/(?<=:)(?=tree:)|(?<=file=)/g, `${dir}/`);
  const image = await openOriginal(
    `${dir}/image`,
    readSecrets(
      parseDeviceSpec(spec),
      (secret) => new TextEncoder().encode(secret),
    ),
    { readOnly, rootFile: `${dir}/root`, log: (line) => assert.fail(line) },
  );
  return image.device;
}

/** The digests of all files below `dir`, by their paths. */
export async function digests(
  dir: string,
  prefix: string = "",
): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(dir)) {
    const path = `${dir}/${name}`;
    if (isDirectory) {
      Object.assign(found, await digests(path, `${prefix}${name}/`));
    } else found[prefix + name] = sha256(await Deno.readFile(path));
  }
  return found;
}

/** SHA-256, in hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
