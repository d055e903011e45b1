import assert from "node:assert/strict";
import { MemoryDevice } from "../../bd/mod.ts";
import {
  type DirectoryEntry,
  Filesystem,
  format,
  Paths,
} from "../../fs/mod.ts";
import { Server } from "../../rpc/mod.ts";
import { withTempDir } from "../support/tools.ts";
import { nextfs } from "./program.ts";

const encoder = new TextEncoder();

/** A filesystem that lies about the names in its directories. */
function lying(
  names: (entries: DirectoryEntry[]) => DirectoryEntry[],
): Filesystem {
  const device = new MemoryDevice(1024, 2048);
  format(device, { blank: true });
  const fs = Filesystem.open(device);
  const paths = new Paths(fs);
  paths.mkdir("/dir");
  paths.writeFile("/dir/passwd", "evil");
  paths.symlink("..", "/link");
  return new Proxy(fs, {
    get(target, key): unknown {
      if (key === "readdir") {
        return (...args: [number, number, number?]): DirectoryEntry[] =>
          names(target.readdir(...args));
      }
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

const renamed = (from: string, to: string) => (e: DirectoryEntry[]) =>
  e.map((entry) =>
    new TextDecoder().decode(entry.name) === from
      ? { ...entry, name: encoder.encode(to) }
      : entry
  );

const lies: [string, ReturnType<typeof renamed>][] = [
  ["a name with a slash", renamed("passwd", "../passwd")],
  ["an absolute name", renamed("passwd", "/tmp/nextfs-evil")],
  ["a name that is a link first", renamed("dir", "link")],
];

for (const [what, lie] of lies) {
  Deno.test(`get -r does not follow ${what} out of its target`, () =>
    withTempDir(async (dir) => {
      const server = new Server(lying(lie));
      const connect = `unix:${dir}/s`;
      await server.listen(connect);
      try {
        await Deno.mkdir(`${dir}/in`);
        const args = ["get", "-r", "/", `${dir}/in/out`, "--connect", connect];
        const { code } = await nextfs(args);
        assert.equal(code, 1);
        const outside = [...Deno.readDirSync(`${dir}/in`)].map((e) => e.name);
        assert.deepEqual(outside, ["out"]);
        await assert.rejects(Deno.lstat(`${dir}/passwd`));
        await assert.rejects(Deno.lstat("/tmp/nextfs-evil"));
      } finally {
        await server.stop();
      }
    }));
}

Deno.test("get -r does not follow a link that lies in its target", () =>
  withTempDir(async (dir) => {
    const server = new Server(lying((entries) => entries));
    const connect = `unix:${dir}/s`;
    await server.listen(connect);
    try {
      await Deno.mkdir(`${dir}/out`);
      await Deno.mkdir(`${dir}/elsewhere`);
      await Deno.symlink(`${dir}/elsewhere`, `${dir}/out/dir`);
      const args = ["get", "-r", "/", `${dir}/out`, "--connect", connect];
      const { code, stderr } = await nextfs(args);
      assert.equal(code, 1);
      assert.match(stderr, /out\/dir: Is a symbolic link: not followed/);
      assert.deepEqual([...Deno.readDirSync(`${dir}/elsewhere`)], []);
    } finally {
      await server.stop();
    }
  }));
