/**
 * Small volumes of our own for tests, opened by key files so that nothing
 * waits for scrypt.
 *
 * @module
 */

import type { Secret } from "../../bd/keys/key_slot.ts";
import {
  createVolume,
  type CreateVolumeOptions,
} from "../../bd/volume/create.ts";
import {
  type DeviceKind,
  JOURNAL_BYTES_MIN,
} from "../../bd/volume/descriptor.ts";
import {
  type OpenedVolume,
  openVolume,
  type OpenVolumeOptions,
} from "../../bd/volume/volume.ts";

/** Scrypt parameters that take milliseconds. */
export const FAST_SCRYPT = { n: 1024, r: 8, p: 1 };

/** The devices that have a key. */
export const KEYED_DEVICES = ["crypt", "verity", "vericrypt"] as const;

/** A key file of 32 bytes, each of them `fill`; it may be overwritten. */
export function keyFile(fill: number): Secret {
  return { kind: "keyfile", bytes: new Uint8Array(32).fill(fill) };
}

/** A passphrase; its bytes may be overwritten. */
export function passphrase(text: string): Secret {
  return { kind: "passphrase", bytes: new TextEncoder().encode(text) };
}

/** Asks for the key file of `fill`s. */
export function ask(fill: number): () => Promise<Secret> {
  return () => Promise.resolve(keyFile(fill));
}

/**
 * Makes a volume of 64 blocks of 1 KiB, with the smallest journal, that the
 * key file of 1s opens.
 */
export async function newVolume(
  path: string,
  device: DeviceKind,
  options: Partial<CreateVolumeOptions> = {},
): Promise<void> {
  await createVolume(path, {
    device,
    blockSize: 1024,
    blockCount: 64,
    journalSize: JOURNAL_BYTES_MIN,
    secret: device === "std" ? undefined : keyFile(1),
    ...options,
  });
}

/** Opens a volume by the key file of 1s, calls `visit`, and closes it. */
export async function withVolume<T>(
  path: string,
  visit: (volume: OpenedVolume) => T | Promise<T>,
  options: OpenVolumeOptions = {},
): Promise<T> {
  const volume = await openVolume(path, { secret: ask(1), ...options });
  try {
    return await visit(volume);
  } finally {
    volume.close();
  }
}

/** A block of bytes that depend on `seed`, none of them zero. */
export function block(seed: number, byteLength: number = 1024): Uint8Array {
  return Uint8Array.from(
    { length: byteLength },
    (_, i) => 1 + (seed * 31 + i * 7 + (i >> 8)) % 255,
  );
}

/** Writes `block(seed)` at each number, and flushes. */
export async function writeBlocks(
  volume: OpenedVolume,
  seeds: Record<number, number>,
): Promise<void> {
  const { device } = volume;
  for (const [number, seed] of Object.entries(seeds)) {
    device.write(Number(number), block(seed, device.blockSize));
  }
  await device.flush();
}

/** All plaintext of a volume. */
export function contents({ device }: OpenedVolume): Uint8Array {
  const bytes = new Uint8Array(device.blockCount * device.blockSize);
  device.read(0, bytes);
  return bytes;
}

/** The names in a directory, in order. */
export function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

/** Copies a directory of files, holes and all. */
export async function copyDirectory(from: string, to: string): Promise<void> {
  const { success } = await new Deno.Command("cp", {
    args: ["-a", "--sparse=always", from, to],
  }).output();
  if (!success) throw new Error(`cannot copy ${from}`);
}
