/**
 * The permission matrix over the wire: owner, group and others, with each set
 * of permissions, and each operation that asks for one.
 *
 * What is to be expected is written down here as POSIX has it, apart from the
 * engine's own rules; those are held against the kernel elsewhere.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Filesystem, FsError, Paths } from "../../fs/mod.ts";
import {
  type Client,
  connect,
  type Node,
  O_RDONLY,
  O_WRONLY,
  Policy,
} from "../../rpc/mod.ts";
import { Served } from "./harness.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

const OWNER = 1000;
const GROUP = 2000;

/** Who asks, and the place of his three bits in a mode. */
const ASKERS = {
  owner: { as: { uid: OWNER, gid: 1 }, shift: 6 },
  group: { as: { uid: 5, gid: 1, groups: [GROUP] }, shift: 3 },
  other: { as: { uid: 6, gid: 1 }, shift: 0 },
};
type Asker = keyof typeof ASKERS;

const READ = 4;
const WRITE = 2;
const SEARCH = 1;

/** What an operation needs of the file or directory that it is tried on. */
interface Row {
  /** Bits that are needed; what only the owner may do needs none. */
  readonly needs: number;
  readonly isOwners?: boolean;
  readonly call: (client: Client, path: string) => Promise<unknown>;
}

async function open(
  client: Client,
  path: string,
  flags: number,
): Promise<void> {
  const { attributes: node } = await client.files.stat(path);
  const { descriptor } = await client.call("open", { node, flags });
  await client.call("close", { descriptor });
}

async function nodeOf(client: Client, path: string): Promise<Node> {
  return (await client.files.stat(path)).attributes;
}

/** Operations on a file. */
const ON_FILES: Readonly<Record<string, Row>> = {
  "open to read": { needs: READ, call: (c, p) => open(c, p, O_RDONLY) },
  "open to write": { needs: WRITE, call: (c, p) => open(c, p, O_WRONLY) },
  truncate: { needs: WRITE, call: (c, p) => c.files.truncate(p, 1) },
  "access 4": {
    needs: READ,
    call: async (c, p) =>
      await c.call("access", { node: await nodeOf(c, p), mask: 4 }),
  },
  "access 3": {
    needs: WRITE | SEARCH,
    call: async (c, p) =>
      await c.call("access", { node: await nodeOf(c, p), mask: 3 }),
  },
  chmod: { needs: 0, isOwners: true, call: (c, p) => c.files.chmod(p, 0o700) },
  getxattr: { needs: READ, call: (c, p) => c.files.getxattr(p, "user.a") },
  setxattr: {
    needs: WRITE,
    call: (c, p) => c.files.setxattr(p, "user.b", encode("v")),
  },
  getattr: { needs: 0, call: (c, p) => c.files.stat(p) },
};

/** Operations on a directory. */
const ON_DIRECTORIES: Readonly<Record<string, Row>> = {
  readdir: {
    needs: READ,
    call: async (c, p) =>
      await c.call("readdir", {
        ...{ node: await nodeOf(c, p), cookie: 0, count: 10 },
      }),
  },
  lookup: { needs: SEARCH, call: (c, p) => c.files.stat(`${p}/file`) },
  create: {
    needs: WRITE | SEARCH,
    call: (c, p) => c.files.writeFile(`${p}/new`, new Uint8Array(0)),
  },
  mkdir: { needs: WRITE | SEARCH, call: (c, p) => c.files.mkdir(`${p}/made`) },
  symlink: {
    needs: WRITE | SEARCH,
    call: (c, p) => c.files.symlink("x", `${p}/link`),
  },
  unlink: {
    needs: WRITE | SEARCH,
    call: (c, p) => c.files.remove(`${p}/file`),
  },
  rename: {
    needs: WRITE | SEARCH,
    call: (c, p) => c.files.rename(`${p}/file`, `${p}/renamed`),
  },
};

/** Makes what an operation is tried on. */
function furnish(fs: Filesystem, kind: string, mode: number): void {
  const paths = new Paths(fs);
  paths.mkdirAll("/top");
  const ino = kind === "file"
    ? paths.writeFile("/top/it", "contents")
    : paths.mkdirAll("/top/it");
  if (kind === "directory") paths.writeFile("/top/it/file", "x");
  else fs.setxattr(ino, "user.a", encode("v"));
  fs.setattr(ino, { uid: OWNER, gid: GROUP });
  fs.setattr(ino, { mode });
}

async function outcome(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "done";
  } catch (error) {
    if (error instanceof FsError) return error.code;
    throw error;
  }
}

function expected(
  { needs, isOwners }: Row,
  asker: Asker,
  bits: number,
): string {
  if (isOwners) return asker === "owner" ? "done" : "EPERM";
  return (needs & ~bits) === 0 ? "done" : "EACCES";
}

for (const [asker, { as, shift }] of Object.entries(ASKERS)) {
  Deno.test(`${asker}: each operation needs its permissions, and no others`, async () => {
    const policy = Policy.from({
      rules: [{
        match: { socket: "tcp:127.0.0.1:0" },
        access: "write",
        as,
      }],
    });
    await using served = await Served.start({ policy });
    await using client = await connect(served.endpoints[1]);
    const tables = { file: ON_FILES, directory: ON_DIRECTORIES };
    for (const [kind, rows] of Object.entries(tables)) {
      for (const [name, row] of Object.entries(rows)) {
        for (let bits = 0; bits < 8; bits++) {
          // The bits of all others are the opposite: they must not matter.
          const rest = 0o777 & ~(7 << shift) & (~bits & 7) * 0o111;
          furnish(served.fs, kind, rest | bits << shift);
          const found = await outcome(row.call(client, "/top/it"));
          const wanted = expected(row, asker as Asker, bits);
          assert.equal(found, wanted, `${name}, ${bits.toString(2)}`);
          new Paths(served.fs).removeAll("/top");
        }
      }
    }
  });
}
