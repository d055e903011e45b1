import assert from "node:assert/strict";
import {
  type Client,
  connect,
  O_APPEND,
  O_DIRECTORY,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from "../../rpc/mod.ts";
import { FsError } from "../../fs/errors.ts";
import { RawClient, Served, until } from "./harness.ts";
import { testOnStacks } from "./stacks.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Asserts that `promise` is refused with the errno name `code`. */
async function refuses(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(
    promise,
    (error) => error instanceof FsError && error.code === code,
    code,
  );
}

async function create(
  client: Client,
  name: string,
  flags = O_RDWR,
): Promise<number> {
  const reply = await client.call("create", {
    dir: client.root,
    name: bytesOf(name),
    mode: 0o644,
    flags,
  });
  return reply.descriptor;
}

testOnStacks(
  "requests in flight are carried out in their order",
  async (serve) => {
    await using served = await serve();
    await served.each(async (endpoint) => {
      await using client = await connect(endpoint, { maxInFlight: 16 });
      const descriptor = await create(client, endpoint.slice(0, 3));
      const writes = [];
      for (let i = 0; i < 300; i++) {
        const data = new Uint8Array(4096).fill(i);
        writes.push(client.call("write", { descriptor, offset: 0, data }));
        writes.push(
          client.call("read", { descriptor, offset: 0, length: 4096 })
            .then(({ data }) => {
              assert.equal(data.length, 4096);
              assert.ok(data.every((byte) => byte === (i & 255)));
            }),
        );
      }
      await Promise.all(writes);
    });
  },
);

testOnStacks(
  "replies keep what they hold when later ones arrive",
  async (serve) => {
    await using served = await serve();
    await served.each(async (endpoint) => {
      await using client = await connect(endpoint);
      const descriptor = await create(client, "kept");
      const data = Uint8Array.from({ length: 262144 }, (_, i) => i >> 12);
      await client.call("write", { descriptor, offset: 0, data });
      const replies = await Promise.all(
        Array.from({ length: 256 }, (_, i) =>
          client.call("read", {
            descriptor,
            offset: (i % 64) * 4096,
            length: 4096,
          })),
      );
      replies.forEach(({ data }, i) =>
        assert.ok(data.every((byte) => byte === i % 64))
      );
    });
  },
);

Deno.test("descriptors hold to what they were opened for", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    await using client = await connect(endpoint);
    const writer = await create(client, "rules", O_WRONLY | O_TRUNC);
    const data = bytesOf("0123456789");
    assert.deepEqual(
      await client.call("write", { descriptor: writer, offset: 0, data }),
      { count: 10 },
    );
    const read = (descriptor: number): Promise<unknown> =>
      client.call("read", { descriptor, offset: 0, length: 4 });
    await refuses(read(writer), "EBADF");

    const { attributes: node } = await client.call("lookup", {
      dir: client.root,
      name: bytesOf("rules"),
    });
    const open = async (flags: number): Promise<number> =>
      (await client.call("open", { node, flags })).descriptor;
    const reader = await open(O_RDONLY);
    const write = (descriptor: number): Promise<unknown> =>
      client.call("write", { descriptor, offset: 0, data });
    await refuses(write(reader), "EBADF");
    assert.deepEqual(await read(reader), { data: bytesOf("0123") });

    const appender = await open(O_RDWR | O_APPEND);
    await write(appender);
    const { attributes } = await client.call("getattr", { node });
    assert.equal(attributes.size, 20);

    const truncating = await client.call("open", {
      node,
      flags: O_WRONLY | O_TRUNC,
    });
    assert.equal(truncating.attributes.size, 0);
    assert.deepEqual(await read(reader), { data: bytesOf("") });

    for (const flags of [3, O_RDONLY | O_TRUNC, O_EXCL, 0o4000]) {
      await refuses(open(flags), "EINVAL");
    }
    const root = (flags: number): Promise<{ descriptor: number }> =>
      client.call("open", { node: client.root, flags });
    await refuses(root(O_RDWR), "EISDIR");
    const { descriptor: directory } = await root(O_RDONLY | O_DIRECTORY);
    await refuses(read(directory), "EISDIR");
    await refuses(write(directory), "EBADF");
    await client.call("fsync", { descriptor: directory });
    await client.call("close", { descriptor: directory });
    await refuses(open(O_RDONLY | O_DIRECTORY), "ENOTDIR");
  });
});

Deno.test("a descriptor's number is never given out again", async () => {
  await using served = await Served.start({ maxDescriptors: 3 });
  await served.each(async (endpoint) => {
    await using client = await connect(endpoint);
    assert.equal(client.limits.maxDescriptors, 3);
    const numbers = new Set<number>();
    for (let i = 0; i < 10; i++) {
      const descriptor = await create(client, "numbered");
      assert.ok(!numbers.has(descriptor));
      numbers.add(descriptor);
      await client.call("close", { descriptor });
      await refuses(client.call("close", { descriptor }), "EBADF");
      await refuses(
        client.call("read", { descriptor, offset: 0, length: 1 }),
        "EBADF",
      );
    }
    await create(client, "numbered");
    await create(client, "numbered");
    const last = await create(client, "numbered");
    await refuses(create(client, "numbered"), "EMFILE");
    await refuses(create(client, "not-made"), "EMFILE");
    await refuses(
      client.call("lookup", { dir: client.root, name: bytesOf("not-made") }),
      "ENOENT",
    );
    await client.call("close", { descriptor: last });
    await create(client, "numbered");
  });
});

Deno.test("one connection's descriptors mean nothing on another", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    await using owner = await connect(endpoint);
    await using other = await connect(endpoint);
    const descriptor = await create(owner, "private");
    await refuses(other.call("close", { descriptor }), "EBADF");
    await refuses(
      other.call("read", { descriptor, offset: 0, length: 1 }),
      "EBADF",
    );
  });
});

Deno.test("create opens what exists, and refuses it with O_EXCL", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    await using client = await connect(endpoint);
    const name = `exists-${endpoint.slice(0, 3)}`;
    const descriptor = await create(client, name, O_RDWR | O_EXCL);
    const data = bytesOf("x");
    await client.call("write", { descriptor, offset: 0, data });
    await refuses(create(client, name, O_RDWR | O_EXCL), "EEXIST");
    const again = await create(client, name);
    const read = await client.call("read", {
      descriptor: again,
      offset: 0,
      length: 9,
    });
    assert.deepEqual(read.data, data);
    await refuses(create(client, "lost+found"), "EISDIR");
  });
});

Deno.test("a node whose inode has a new owner is ESTALE", async () => {
  await using served = await Served.start();
  await served.each(async (endpoint) => {
    await using client = await connect(endpoint);
    const make = async (): Promise<{ ino: number; generation: number }> => {
      const name = bytesOf("reborn");
      const { attributes } = await client.call("mkdir", {
        dir: client.root,
        name,
        mode: 0o755,
      });
      await client.call("rmdir", { dir: client.root, name });
      return attributes;
    };
    const first = await make();
    await refuses(client.call("getattr", { node: first }), "ESTALE");
    const name = bytesOf("last");
    const { attributes: second } = await client.call("mkdir", {
      dir: client.root,
      name,
      mode: 0o755,
    });
    assert.equal(second.ino, first.ino, "the inode number was used again");
    assert.notEqual(second.generation, first.generation);
    await refuses(client.call("getattr", { node: first }), "ESTALE");
    await refuses(
      client.call("readdir", { node: first, cookie: 0, count: 9 }),
      "ESTALE",
    );
    await client.call("rmdir", { dir: client.root, name });
  });
});

testOnStacks(
  "an open file lives on without a name until its end",
  async (serve) => {
    await using served = await serve();
    await served.each(async (endpoint) => {
      const before = served.fs.statfs();
      const client = await connect(endpoint);
      const descriptor = await create(client, "doomed");
      const data = new Uint8Array(100_000).fill(9);
      await client.call("write", { descriptor, offset: 0, data });
      const name = bytesOf("doomed");
      await client.call("unlink", { dir: client.root, name });
      const read = await client.call("read", {
        descriptor,
        offset: 90_000,
        length: 65536,
      });
      assert.deepEqual(read.data, data.subarray(90_000));
      assert.notEqual(served.fs.statfs().inodesFree, before.inodesFree);
      // However the connection ends, its files are released.
      await client.close();
      await until(() => served.server.connections === 0);
      const after = served.fs.statfs();
      assert.equal(after.inodesFree, before.inodesFree);
      assert.equal(after.blocksFree, before.blocksFree);
    });
  },
);

testOnStacks(
  "readdir lists a large directory in pages, each name once",
  async (serve) => {
    await using served = await serve();
    const names = Array.from({ length: 1500 }, (_, i) => `${i}`.padStart(200));
    for (const name of names) served.fs.mknod(2, name, { kind: 0o010000 });
    await served.each(async (endpoint) => {
      for (const maxFrame of [16384, 1024 * 1024]) {
        await using client = await connect(endpoint, { maxFrame });
        const found: string[] = [];
        for (let cookie = 0, end = false; !end;) {
          const page = await client.call("readdir", {
            node: client.root,
            cookie,
            count: 1024,
          });
          for (const entry of page.entries) {
            found.push(new TextDecoder().decode(entry.name));
            assert.equal(entry.attributes?.ino, entry.ino);
            cookie = entry.cookie;
          }
          end = page.end;
        }
        const expected = [...names, ".", "..", "lost+found"];
        assert.deepEqual(found.sort(), expected.sort());
      }
    });
  },
);

testOnStacks(
  "a read-only volume refuses changes and says so",
  async (serve) => {
    await using served = await serve({ readOnly: true });
    await served.each(async (endpoint) => {
      await using client = await connect(endpoint);
      assert.equal(client.limits.readOnly, true);
      await refuses(create(client, "no"), "EROFS");
      await refuses(
        client.call("rmdir", { dir: client.root, name: bytesOf("lost+found") }),
        "EROFS",
      );
    });
  },
);

Deno.test("limits are agreed at the lower of both sides", async () => {
  await using served = await Served.start({ maxFrame: 20_000, maxInFlight: 3 });
  await served.each(async (endpoint) => {
    const client = await connect(endpoint);
    const { maxFrame, maxData, maxInFlight } = client.limits;
    assert.deepEqual([maxFrame, maxData, maxInFlight], [20_000, 15_904, 3]);
    const descriptor = await create(client, "limited");
    const write = (length: number): Promise<unknown> =>
      client.call("write", {
        descriptor,
        offset: 0,
        data: new Uint8Array(length),
      });
    assert.deepEqual(await write(maxData), { count: maxData });
    await refuses(write(maxData + 1), "EINVAL");
    await refuses(write(maxFrame), "EINVAL");
    await refuses(
      client.call("read", { descriptor, offset: 0, length: maxData + 1 }),
      "EINVAL",
    );
    const all = Array.from({ length: 50 }, () => client.call("statfs", {}));
    await Promise.all(all);
    await client.close();
    const small = await connect(endpoint, { maxFrame: 16384 });
    assert.equal(small.limits.maxFrame, 16384);
    await small.close();
  });
});

Deno.test("a raw client gets the hello that is documented", async () => {
  await using served = await Served.start();
  const { path } = served.endpoints[0] as { path: string };
  const client = await RawClient.connect(`unix:@${path}`);
  const reply = await client.ask(1, 64, "nextfs", 1, 2 ** 24, 5000, []);
  assert.deepEqual(reply, [
    ...[0, 1, 1052672, 1048576, 256, 1024, 1024, 16, 1024, 600_000],
    ...[false, 0, 0, [2, 0], []],
  ]);
  client.close();
});
