import assert from "node:assert/strict";
import { DeviceError, type DeviceErrorCode } from "./block_device.ts";
import { HostFile, InUseError, StdDevice } from "./std.ts";
import { thread } from "./thread.ts";

const onUnix = { ignore: Deno.build.os === "windows" };

/** Runs `test` with the path of a file that is not there yet. */
async function withPath(
  test: (path: string) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/image`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function refuses(call: () => unknown, code: DeviceErrorCode): void {
  assert.throws(
    call,
    (error) => error instanceof DeviceError && error.code === code,
    code,
  );
}

Deno.test("a device's blocks are the file's bytes at their places", async () => {
  await withPath(async (path) => {
    const file = HostFile.open(path, { create: 10_000 });
    const device = new StdDevice(file, 1024);
    assert.equal(device.blockCount, 9, "a part of a block is no block");
    const blocks = crypto.getRandomValues(new Uint8Array(2048));
    device.write(7, blocks);
    await device.flush();
    const expected = new Uint8Array(10_000);
    expected.set(blocks, 7 * 1024);
    assert.deepEqual(await Deno.readFile(path), expected);

    using other = await Deno.open(path, { write: true });
    await other.seek(1024, Deno.SeekMode.Start);
    await other.write(Uint8Array.of(1, 2, 3));
    const read = new Uint8Array(1024);
    device.read(1, read);
    assert.deepEqual(read.subarray(0, 4), Uint8Array.of(1, 2, 3, 0));
    refuses(() => device.read(9, read), "EINVAL");
    refuses(() => device.write(8, blocks), "EINVAL");
    device.close();
  });
});

Deno.test("creating a file again empties it", async () => {
  await withPath(async (path) => {
    await Deno.writeTextFile(path, "what was there before");
    HostFile.open(path, { create: 8 }).close();
    assert.deepEqual(await Deno.readFile(path), new Uint8Array(8));
  });
});

Deno.test("a file that became shorter is EIO, not zeros", async () => {
  await withPath(async (path) => {
    const file = HostFile.open(path, { create: 4096 });
    await Deno.truncate(path, 1500);
    const device = new StdDevice(file, 1024);
    device.read(0, new Uint8Array(1024));
    refuses(() => device.read(1, new Uint8Array(1024)), "EIO");
    device.close();
  });
});

Deno.test("a writer has the file alone, and readers share it", async () => {
  await withPath((path) => {
    const writer = HostFile.open(path, { create: 4096 });
    for (const options of [{}, { readOnly: true }, { create: 1 }]) {
      assert.throws(() => HostFile.open(path, options), InUseError);
    }
    assert.equal(Deno.statSync(path).size, 4096, "nothing was emptied");
    writer.close();
    const readers = [1, 2].map(() => HostFile.open(path, { readOnly: true }));
    assert.throws(() => HostFile.open(path), InUseError);
    for (const reader of readers) reader.close();
    HostFile.open(path).close();
  });
});

Deno.test("another process's lock is respected", onUnix, async () => {
  await withPath(async (path) => {
    HostFile.open(path, { create: 4096 }).close();
    const script = `using file = Deno.openSync(Deno.args[0], { write: true,
      read: true });
      file.lockSync(true);
      console.log("locked");
      await Deno.stdin.read(new Uint8Array(1));`;
    const module = `data:text/typescript,${encodeURIComponent(script)}`;
    await using other = new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--allow-read", "--allow-write", module, path],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const output = other.stdout.getReader();
    const { value } = await output.read();
    assert.equal(new TextDecoder().decode(value), "locked\n");
    assert.throws(() => HostFile.open(path), InUseError);
    assert.throws(() => HostFile.open(path, { readOnly: true }), InUseError);
    await other.stdin.close();
    await other.status;
    await output.cancel();
    HostFile.open(path).close();
  });
});

Deno.test("a pipe and a directory are refused at once", onUnix, async () => {
  await withPath(async (path) => {
    const made = await new Deno.Command("mkfifo", { args: [path] }).output();
    assert.ok(made.success);
    await Deno.mkdir(`${path}.d`);
    await Deno.symlink(path, `${path}.link`);
    for (const place of [path, `${path}.d`, `${path}.link`, "/dev/null"]) {
      for (const options of [{}, { readOnly: true }, { create: 4096 }]) {
        refuses(() => HostFile.open(place, options), "EINVAL");
      }
    }
  });
});

Deno.test(
  "a link is followed, unless it is to be refused",
  onUnix,
  async () => {
    await withPath(async (path) => {
      HostFile.open(path, { create: 4096 }).close();
      await Deno.symlink(path, `${path}.link`);
      HostFile.open(`${path}.link`).close();
      HostFile.open(path, { noLink: true }).close();
      for (const options of [{}, { readOnly: true }, { create: 1 }]) {
        const noLink = { ...options, noLink: true };
        refuses(() => HostFile.open(`${path}.link`, noLink), "EINVAL");
      }
      assert.equal((await Deno.stat(path)).size, 4096);
    });
  },
);

Deno.test("a file opened to be read refuses writes", async () => {
  await withPath(async (path) => {
    HostFile.open(path, { create: 4096 }).close();
    const file = HostFile.open(path, { readOnly: true });
    const device = new StdDevice(file, 1024);
    assert.equal(device.readOnly, true);
    refuses(() => device.write(0, new Uint8Array(1024).fill(1)), "EROFS");
    await device.flush();
    device.close();
    assert.deepEqual(await Deno.readFile(path), new Uint8Array(4096));
  });
});

Deno.test("closing twice is closing once", async () => {
  await withPath(async (path) => {
    const file = HostFile.open(path, { create: 4096 });
    await file.sync();
    file.close();
    // A second close() of the same number would take this one's file.
    using other = await Deno.open(path);
    file.close();
    assert.equal((await other.stat()).size, 4096);
    HostFile.open(path).close();
    assert.throws(() => HostFile.open(`${path}.absent`), Deno.errors.NotFound);
  });
});

Deno.test("a closed file does not reach the one that has its number now", async () => {
  await withPath(async (path) => {
    const file = HostFile.open(path, { create: 4096 });
    file.close();
    const other = HostFile.open(`${path}.other`, { create: 4096 });
    refuses(() => file.writeAt(0, new Uint8Array(512).fill(1)), "EBADF");
    refuses(() => file.readAt(0, new Uint8Array(512)), "EBADF");
    await assert.rejects(file.sync(), { code: "EBADF" });
    other.close();
    assert.deepEqual(
      await Deno.readFile(`${path}.other`),
      new Uint8Array(4096),
    );
  });
});

Deno.test("a sync in the thread itself makes everything durable, too", async () => {
  await withPath(async (path) => {
    const file = HostFile.open(path, { create: 8192 });
    thread.isShared = false;
    try {
      for (const bytes of [512, 8192]) {
        file.writeAt(0, new Uint8Array(bytes).fill(7));
        await file.sync();
      }
      assert.equal((await Deno.readFile(path))[8191], 7);
      file.close();
      await assert.rejects(
        file.sync(),
        (error) => error instanceof DeviceError && error.code === "EBADF",
      );
    } finally {
      thread.isShared = true;
    }
  });
});
