/**
 * Clients of volumes with a journal: none of them meets its end, however small
 * it is; and what they see of a host that fails, and of its recovery.
 */

import assert from "node:assert/strict";
import type { ByteFile } from "../../bd/byte_file.ts";
import { DeviceError, type DeviceErrorCode } from "../../bd/mod.ts";
import {
  DEVICES,
  openVolume,
  type OpenVolumeOptions,
} from "../../bd/volume/mod.ts";
import { FsError } from "../../fs/errors.ts";
import { Filesystem, format } from "../../fs/mod.ts";
import {
  type Client,
  connect,
  O_RDWR,
  RemoteFiles,
  Server,
} from "../../rpc/mod.ts";
import { Random } from "../support/random.ts";
import { withTempDir } from "../support/tools.ts";
import { ask, newVolume } from "../support/volumes.ts";

const BLOCK_SIZES = [1024, 4096];
const VOLUME_BYTES = 32 << 20;

/** A new volume with the least journal, and what is served of it. */
interface Volume {
  /** What kind of device it has. */
  device: (typeof DEVICES)[number];
  /** Bytes of a block. */
  blockSize: number;
  /** How it is opened. */
  open?: OpenVolumeOptions;
}

/** Serves a new volume while `visit` runs, and closes it. */
async function withVolume(
  { device, blockSize, open }: Volume,
  visit: (endpoint: string, fs: Filesystem) => Promise<void>,
): Promise<void> {
  await withTempDir(async (dir) => {
    const path = `${dir}/v`;
    const blockCount = VOLUME_BYTES / blockSize;
    await newVolume(path, device, {
      ...{ blockSize, blockCount },
      fill: async ({ device }) => {
        format(device, { blank: true, inodeCount: 512 });
        await device.flush();
      },
    });
    const secret = device === "std" ? undefined : ask(1);
    const volume = await openVolume(path, { secret, ...open });
    const fs = Filesystem.open(volume.device, { cacheSize: 1 << 20 });
    const server = new Server(fs);
    try {
      const endpoint = `unix:${dir}/s`;
      await server.listen(endpoint);
      await visit(endpoint, fs);
    } finally {
      await server.stop();
      await fs.close();
    }
  });
}

/** Writes files by large and by many small writes, and reads them again. */
async function load(
  client: Client,
  name: string,
  random: Random,
): Promise<void> {
  const files = new RemoteFiles(client);
  for (let i = 0; i < 3; i++) {
    const path = `/${name}-${i}`;
    const data = random.bytes(2_000_000 + random.below(100_000));
    const create = { read: true, write: true, create: true };
    await using file = await files.open(path, create);
    await file.writeAt(data, random.below(5000));
    const { size } = await file.stat();
    let at = size - data.length;
    for await (const chunk of file.chunks({ offset: at })) {
      const start = at - (size - data.length);
      const expected = data.subarray(start, start + chunk.length);
      assert.deepEqual(chunk, expected, `${path} at ${at}`);
      at += chunk.length;
    }
    assert.equal(at, size);
    await files.setattr(path, { size: 100_000 });
    const made = [];
    for (let j = 0; j < 50; j++) made.push(files.mkdir(`${path}.${j}`));
    await Promise.all(made);
    if (i === 1) await client.call("sync", {});
    for (let j = 0; j < 50; j++) await files.remove(`${path}.${j}`);
  }
}

for (const device of DEVICES) {
  for (const blockSize of BLOCK_SIZES) {
    const name = `${device}, blocks of ${blockSize}`;
    Deno.test(`no client meets the end of a small journal: ${name}`, () =>
      withVolume({ device, blockSize }, async (endpoint) => {
        const loads = [1, 2, 3].map(async (seed) => {
          await using client = await connect(endpoint);
          await load(client, `client${seed}`, new Random(seed));
        });
        await Promise.all(loads);
      }));
  }
}

/** Files of a host that fails by the test's will. */
class FailingFile implements ByteFile {
  readonly size: number;
  readonly readOnly: boolean;

  constructor(
    readonly next: ByteFile,
    readonly code: () => DeviceErrorCode | null,
  ) {
    this.size = next.size;
    this.readOnly = next.readOnly;
  }

  readAt(position: number, into: Uint8Array): void {
    this.next.readAt(position, into);
  }

  writeAt(position: number, from: Uint8Array): void {
    this.#check("write");
    this.next.writeAt(position, from);
  }

  async sync(): Promise<void> {
    this.#check("sync");
    await this.next.sync();
  }

  close(): void {
    this.next.close();
  }

  #check(action: string): void {
    const code = this.code();
    if (code) throw new DeviceError(code, `Cannot ${action} /secret/path`);
  }
}

/** Asserts an errno, and a text that helps and names no file of the host. */
async function refused(
  promise: Promise<unknown>,
  code: string,
  text: RegExp,
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof FsError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, text);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
}

for (const device of DEVICES) {
  for (const code of ["ENOSPC", "EIO"] as const) {
    Deno.test(`a host that fails makes it read-only: ${device}, ${code}`, () =>
      failAndRecover(device, code));
  }
}

async function failAndRecover(
  device: Volume["device"],
  code: DeviceErrorCode,
): Promise<void> {
  let failing: DeviceErrorCode | null = null;
  const open: OpenVolumeOptions = {
    wrap: (file) => new FailingFile(file, () => failing),
  };
  await withVolume({ device, blockSize: 1024, open }, async (endpoint) => {
    await using client = await connect(endpoint);
    const files = new RemoteFiles(client);
    const data = new Random(1).bytes(100_000);
    await files.writeFile("/before", data);
    await files.sync();
    const { descriptor } = await client.call("create", {
      ...{ dir: client.root, name: new TextEncoder().encode("f") },
      ...{ mode: 0o644, flags: O_RDWR },
    });
    failing = code;
    // A test that fails here closes the volume, too.
    using _ = { [Symbol.dispose]: (): unknown => failing = null };
    const told = /: the server's disk .* not durable/;
    await refused(client.call("fsync", { descriptor }), code, told);
    const again = /Read-only file system: .*until one succeeds/;
    await refused(files.mkdir("/refused"), "EROFS", again);
    await refused(
      client.call("write", { descriptor, offset: 0, data: data.slice(0, 99) }),
      ...["EROFS", again] as const,
    );
    await readBack(files, "/before", data);
    for await (const _ of files.readDir("/"));
    await client.call("close", { descriptor });
    await refused(files.sync(), code, told);
    failing = null;
    await files.sync();
    await files.mkdir("/made");
    await files.writeFile("/f", data);
    await files.sync();
    await readBack(files, "/f", data);
  });
}

async function readBack(
  files: RemoteFiles,
  path: string,
  expected: Uint8Array,
): Promise<void> {
  assert.deepEqual(await files.readFile(path), expected);
}
