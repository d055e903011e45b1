import assert from "node:assert/strict";
import { FsError } from "../../fs/errors.ts";
import {
  connect,
  EndpointError,
  formatEndpoint,
  RemoteFiles,
} from "../../rpc/mod.ts";
import { Served } from "./harness.ts";

/** Runs `test` with the path of a socket that is not there yet. */
async function withPath(test: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(`${folder}/socket`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function refuses(promise: Promise<unknown>, code: string): Promise<void> {
  await assert.rejects(
    promise,
    (error) => error instanceof FsError && error.code === code,
    code,
  );
}

async function unusable(
  promise: Promise<unknown>,
  code: string,
  message: RegExp,
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof EndpointError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
}

Deno.test("a socket's file is its owner's, and goes with the server", async () => {
  await withPath(async (path) => {
    {
      await using served = await Served.start();
      const umask = Deno.umask();
      await served.server.listen(`unix:${path}`);
      assert.equal(Deno.umask(), umask);
      const { mode } = await Deno.lstat(path);
      assert.equal(mode! & 0o777, 0o600);
      await using client = await connect(`unix:${path}`);
      await new RemoteFiles(client).statfs();
    }
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
    await unusable(connect(`unix:${path}`), "ENOENT", /unix:.* no socket/);
  });
});

Deno.test("a socket that nobody listens on is replaced", async () => {
  await withPath(async (path) => {
    // A crash leaves the file behind; closing removes the name it was made by.
    const listener = Deno.listen({ transport: "unix", path: `${path}.other` });
    await Deno.rename(`${path}.other`, path);
    listener.close();
    assert.ok((await Deno.lstat(path)).isSocket);
    await using served = await Served.start();
    await served.server.listen(`unix:${path}`);
    await using client = await connect(`unix:${path}`);
    await new RemoteFiles(client).statfs();
  });
});

Deno.test("an endpoint that another server has is refused", async () => {
  await withPath(async (path) => {
    await using first = await Served.start();
    await using second = await Served.start();
    await first.server.listen(`unix:${path}`);
    await refuses(second.server.listen(`unix:${path}`), "EBUSY");
    for (const endpoint of first.endpoints) {
      await refuses(second.server.listen(endpoint), "EBUSY");
    }
    await using client = await connect(`unix:${path}`);
    await new RemoteFiles(client).statfs();
  });
});

Deno.test("a file that is no socket is never replaced", async () => {
  await withPath(async (path) => {
    await Deno.writeTextFile(path, "precious");
    await using served = await Served.start();
    await refuses(served.server.listen(`unix:${path}`), "EEXIST");
    assert.equal(await Deno.readTextFile(path), "precious");
  });
});

Deno.test("what other machines can reach needs to be asked for", async () => {
  await using closed = await Served.start();
  for (const endpoint of ["tcp:0.0.0.0:0", "tcp:[::]:0"]) {
    await refuses(closed.server.listen(endpoint), "EPERM");
  }
  await using open = await Served.start({ insecure: true });
  const endpoint = await open.server.listen("tcp:0.0.0.0:0");
  assert.equal(endpoint.kind, "tcp");
  assert.match(formatEndpoint(endpoint), /^tcp:0\.0\.0\.0:[1-9]\d*$/);
  const { port } = endpoint as { port: number };
  await using client = await connect(`tcp:127.0.0.1:${port}`);
  await new RemoteFiles(client).statfs();
});

Deno.test("a server that was stopped does not listen again", async () => {
  const served = await Served.start();
  await served[Symbol.asyncDispose]();
  await served.server.stop();
  await refuses(served.server.listen("tcp:127.0.0.1:0"), "ECANCELED");
});

Deno.test("what the system refuses is said with the endpoint", async () => {
  await using served = await Served.start();
  const listen = (endpoint: string): Promise<unknown> =>
    served.server.listen(endpoint);
  await withPath(async (path) => {
    await unusable(
      listen(`unix:${path}/socket`),
      "ENOENT",
      /^Cannot listen at unix:.*\/socket: the directory .* does not exist/,
    );
    await Deno.writeTextFile(path, "");
    for (const action of [listen, connect]) {
      const where = `unix:${path}/socket`;
      await unusable(action(where), "ENOTDIR", /is not a directory/);
    }
    await unusable(
      connect(`unix:${path}`),
      "ECONNREFUSED",
      /^Cannot connect to unix:.*: no server listens there/,
    );
    await unusable(
      connect("tcp:host.invalid:1"),
      "ENOTFOUND",
      /^Cannot connect to tcp:host\.invalid:1: the host is not known/,
    );
  });
});
