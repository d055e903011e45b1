/**
 * What the commands say to a hostile host: one clear line each, and an exit
 * code that tells a wrong key from damage.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createVolume, type Secret } from "../../bd/volume/mod.ts";
import { Filesystem, format, Paths } from "../../fs/mod.ts";
import { nextfs, ok } from "../cli/program.ts";
import { must, run, withTempDir } from "../support/tools.ts";
import {
  copyDirectory,
  FAST_SCRYPT,
  passphrase,
  withVolume,
} from "../support/volumes.ts";

/** What is done to a volume, and what a command has to say to it. */
interface Attack {
  readonly what: string;
  /** Changes the volume at `path`, beside which there is another one. */
  readonly damage: (path: string) => void | Promise<void>;
  /** The command; the volume and what opens it are put behind it. */
  readonly args: readonly string[];
  readonly code: number;
  readonly says: RegExp;
}

function edit(
  name: string,
  change: (bytes: Uint8Array) => Uint8Array | void,
): Attack["damage"] {
  return (path: string): void => {
    const bytes = Deno.readFileSync(`${path}/${name}`);
    Deno.writeFileSync(`${path}/${name}`, change(bytes) ?? bytes);
  };
}

/** Changes the text of the descriptor. */
function reword(change: (text: string) => string): Attack["damage"] {
  return edit("volume.json", (bytes) => {
    const text = new TextDecoder().decode(bytes);
    const changed = change(text);
    assert.notEqual(changed, text);
    return new TextEncoder().encode(changed);
  });
}

const replace = (from: string, to: string): Attack["damage"] =>
  reword((text) => text.replace(from, to));

/** The descriptor, as if there never was a key. */
function keyless(text: string): Record<string, unknown> {
  const { keys: _, mac: __, anchor: ___, ...rest } = JSON.parse(text);
  return { ...rest, device: "std" };
}

const ATTACKS: readonly Attack[] = [
  {
    what: "it says that there never was a key",
    damage: reword((text) => JSON.stringify(keyless(text))),
    args: ["dump"],
    code: 13,
    says: /: the journal is not authentic: it was changed, cut short, or/,
  },
  {
    what: "it says that there never was a key, nor a journal",
    damage: reword((text) => {
      const { journalSize: _, ...rest } = keyless(text);
      return JSON.stringify({ ...rest, nextfs: 1 });
    }),
    args: ["dump"],
    code: 13,
    says: /has no key, but --passfile gives one/,
  },
  {
    what: "less work for guesses",
    damage: replace('"n": 1024', '"n": 2048'),
    args: ["verify"],
    code: 12,
    says: /: wrong passphrase$/,
  },
  {
    what: "work without end",
    damage: replace('"p": 1', '"p": 1000000'),
    args: ["info"],
    code: 13,
    says: /the descriptor is damaged: keys\[0\]\.scrypt: p is 1000000: not/,
  },
  {
    what: "letters that a terminal acts upon",
    damage: replace("{", '{"\\u001b[31m\\nnextfs: all is well": 1,'),
    args: ["info"],
    code: 13,
    says: /the descriptor is damaged: \(a strange name\): unknown field$/,
  },
  {
    what: "another volume's descriptor",
    damage: (path) =>
      Deno.copyFile(`${path}-2/volume.json`, `${path}/volume.json`),
    args: ["verify"],
    code: 13,
    says:
      /the anchor is not authentic: it was changed, or is another volume's$/,
  },
  {
    what: "a link in the place of the image",
    damage: async (path) => {
      await Deno.rename(`${path}/image`, `${path}/moved`);
      await Deno.symlink("moved", `${path}/image`);
    },
    args: ["verify"],
    code: 13,
    says: /: its image is not a regular file$/,
  },
  {
    what: "another volume's journal",
    damage: (path) => Deno.copyFile(`${path}-2/journal`, `${path}/journal`),
    args: ["verify"],
    code: 13,
    says: /: the journal is not authentic: .* or is another volume's$/,
  },
  {
    what: "a new anchor, and the old journal",
    damage: async (path) => {
      const journal = await Deno.readFile(`${path}/journal`);
      await withVolume(path, async ({ device }) => {
        device.write(9, new Uint8Array(1024).fill(1));
        await device.flush();
      }, { secret: () => Promise.resolve(secret()) });
      await Deno.writeFile(`${path}/journal`, journal);
    },
    args: ["verify"],
    code: 14,
    says: /at generation \d, the anchor says \d: rolled back, or the wrong cop/,
  },
  {
    what: "a pipe in the place of the anchor",
    damage: async (path) => {
      await Deno.remove(`${path}/anchor`);
      await must("mkfifo", `${path}/anchor`);
    },
    args: ["dump"],
    code: 13,
    says: /: its anchor is not a regular file$/,
  },
  {
    what: "a superblock of noise",
    damage: edit("image", (bytes) => void (bytes[1024] ^= 1)),
    args: ["serve", "--read-only"],
    code: 13,
    says: /: Cannot trust block 1: it is not what was written there; /,
  },
  {
    what: "a top page of zeros",
    damage: edit("tree", (bytes) => void bytes.fill(0, 0, 4096)),
    args: ["serve"],
    code: 13,
    says: /Cannot trust block 0: the hash tree does not verify below node 1; /,
  },
  {
    what: "half of the tree",
    damage: edit("tree", (bytes) => bytes.slice(bytes.length / 2)),
    args: ["serve"],
    code: 13,
    says: /: its tree has \d+ bytes, and the descriptor says \d+: it was cut/,
  },
];

const secret = (): Secret => passphrase("secret");

/** Makes a volume with a file in it. */
async function makeVolume(path: string): Promise<void> {
  await createVolume(path, {
    device: "vericrypt",
    blockSize: 1024,
    blockCount: 1024,
    secret: secret(),
    slot: { scrypt: FAST_SCRYPT },
    fill: async ({ device }) => {
      format(device, { blank: true });
      const fs = Filesystem.open(device);
      new Paths(fs).writeFile("/file", new Uint8Array(5000).fill(7));
      await fs.close();
    },
  });
}

Deno.test("each attack gets one line, and an exit code", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    for (const name of ["good", "v-2"]) await makeVolume(`${dir}/${name}`);
    await Deno.writeTextFile(`${dir}/secret`, "secret\n");
    const key = ["--passfile", `${dir}/secret`];
    for (const { what, damage, args, code, says } of ATTACKS) {
      await copyDirectory(`${dir}/good`, path);
      await damage(path);
      const target = args[0] === "dump" ? [`${dir}/plain`] : [];
      const run = await nextfs([...args, ...key, path, ...target]);
      assert.match(run.stderr, /^nextfs [ -~]+\n$/, what);
      assert.match(run.stderr.trimEnd(), says, what);
      assert.deepEqual([run.code, run.stdout], [code, ""], what);
      await Deno.remove(path, { recursive: true });
    }
    const left = [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
    assert.deepEqual(left, ["good", "secret", "v-2"]);
    await ok(["verify", ...key, `${dir}/good`]);
  }));

/** The program, run so that permissions of files count for the superuser. */
async function asOrdinary(args: string[]): Promise<string[]> {
  if (Deno.uid() !== 0) return args;
  const drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
  const { code } = await run(drop[0], ...drop.slice(1), "true");
  return code === 0 ? [...drop, ...args] : [];
}

Deno.test("a file that may not be read is named", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await makeVolume(path);
    await Deno.writeTextFile(`${dir}/secret`, "secret\n");
    const root = new URL("../../", import.meta.url).pathname;
    const program = [Deno.execPath(), "run", "-q", "-P=nextfs"];
    const [command, ...args] = await asOrdinary([
      ...[...program, `--config=${root}deno.json`, `${root}main.ts`],
      ...["verify", "--passfile", `${dir}/secret`, path],
    ]);
    if (command === undefined) {
      return console.log("skipped: the superuser may read everything here");
    }
    for (const name of ["volume.json", "image", ""]) {
      const file = name ? `${path}/${name}` : path;
      const { mode } = await Deno.stat(file);
      await Deno.chmod(file, 0);
      const { code, stderr } = await run(command, ...args);
      await Deno.chmod(file, mode! & 0o777);
      const first = name ? file : `${path}/volume.json`;
      assert.equal(
        stderr,
        `nextfs verify: Cannot open ${first}: Permission denied\n`,
      );
      assert.equal(code, 1);
    }
  }));
