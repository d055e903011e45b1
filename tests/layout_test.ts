/**
 * The tables of on-disk structures against an independent one: debugfs writes
 * a value into a field by its name, and it is found at the table's offset.
 */

import assert from "node:assert/strict";
import { GROUP_DESCRIPTOR } from "../fs/block_group.ts";
import { DIRECTORY_ENTRY } from "../fs/directory_entry.ts";
import { INODE } from "../fs/inode.ts";
import type { Field } from "../fs/layout.ts";
import { SUPERBLOCK } from "../fs/superblock.ts";
import { XATTR_ENTRY, XATTR_HEADER } from "../fs/xattr_entries.ts";
import { must, run, testWith, withTempDir } from "./support/tools.ts";

type Table = Readonly<Record<string, Field>>;

const TABLES: readonly [name: string, table: Table, size: number][] = [
  ["SUPERBLOCK", SUPERBLOCK, 1024],
  ["GROUP_DESCRIPTOR", GROUP_DESCRIPTOR, 32],
  ["INODE", INODE, 160],
  ["DIRECTORY_ENTRY", DIRECTORY_ENTRY, 8],
  ["XATTR_HEADER", XATTR_HEADER, 32],
  ["XATTR_ENTRY", XATTR_ENTRY, 16],
];

for (const [name, table, size] of TABLES) {
  Deno.test(`the fields of ${name} follow each other without a gap`, () => {
    let offset = 0;
    for (const [field, { offset: at, size }] of Object.entries(table)) {
      assert.equal(at, offset, field);
      offset += size;
    }
    assert.equal(offset, size);
  });

  Deno.test(`the fields of ${name} give back what they were given`, () => {
    for (const [name, field] of Object.entries(table)) {
      const bytes = new Uint8Array(1100).fill(0xaa);
      const untouched = bytes.slice();
      const { size } = field;
      if ("subarray" in Object(field.get(bytes, 7))) continue;
      const value = [0, 0xfe, 0xfedc, 0, 0xfedcba98][size];
      const number = field as {
        set: (b: Uint8Array, at: number, v: number) => void;
      };
      number.set(bytes, 7, value);
      assert.equal(field.get(bytes, 7), value, name);
      bytes.fill(0xaa, 7 + field.offset, 7 + field.offset + size);
      assert.deepEqual(bytes, untouched, name);
    }
  });
}

/** How debugfs sets fields of a structure, and where an image has it. */
interface Judged {
  command: string;
  table: Table;
  prefix: string;
  at: (image: Uint8Array) => number;
  /** Names by which debugfs knows fields otherwise; null if it has none. */
  renamed: Readonly<Record<string, string | null>>;
}

const u32 = (image: Uint8Array, at: number): number =>
  new DataView(image.buffer).getUint32(at, true);

const JUDGED: Readonly<Record<string, Judged>> = {
  SUPERBLOCK: {
    command: "set_super_value",
    table: SUPERBLOCK,
    prefix: "s_",
    at: () => 1024,
    renamed: {
      s_log_frag_size: "log_cluster_size",
      s_frags_per_group: "clusters_per_group",
      // debugfs itself writes the present time, and 0.
      s_wtime: null,
      s_block_group_nr: null,
      s_magic: null,
      s_jnl_blocks: "jnl_blocks[0]",
      s_ext4_fields: null,
      s_backup_bg_first: null,
      s_backup_bg_second: null,
      s_ext4_fields_more: null,
    },
  },
  GROUP_DESCRIPTOR: {
    command: "set_block_group 0",
    table: GROUP_DESCRIPTOR,
    prefix: "bg_",
    at: () => 2048,
    renamed: {
      bg_exclude_bitmap: null,
      bg_block_bitmap_csum: null,
      bg_inode_bitmap_csum: null,
    },
  },
  INODE: {
    command: "set_inode_field <12>",
    table: INODE,
    prefix: "i_",
    // Inode 12 is the twelfth of the table that group 0 points to.
    at: (image) => u32(image, 2048 + 8) * 1024 + 11 * 256,
    renamed: {
      i_block: "block[0]",
      i_checksum_lo: null,
      i_checksum_hi: null,
      i_reserved: null,
    },
  },
};

for (const [name, judged] of Object.entries(JUDGED)) {
  await testWith(
    ["e2fsprogs"],
    `debugfs finds the fields of ${name} where the table has them`,
    () => withTempDir((dir) => compareWithDebugfs(`${dir}/volume.img`, judged)),
  );
}

async function compareWithDebugfs(
  image: string,
  { command, table, prefix, at, renamed }: Judged,
): Promise<void> {
  const shape = ["-q", "-F", "-t", "ext2", "-b", "1024", "-I", "256"];
  await must("mke2fs", ...shape, image, "1M");
  const pristine = await Deno.readFile(image);
  const times = /time$|lastcheck/;
  for (const [name, field] of Object.entries(table)) {
    const plain = name.slice(prefix.length).replace(/_high$/, "_hi");
    const known = name in renamed ? renamed[name] : plain;
    if (known === null) continue;
    const [given, found] = sample(name, field.size);
    const argument = times.test(known) ? `@${Number(given)}` : given;
    await Deno.writeFile(image, pristine);
    const request = `${command} ${known} ${argument}`;
    const { stderr } = await run("debugfs", "-w", "-R", request, image);
    const bytes = await readHead(image, pristine.length);
    const start = at(pristine) + field.offset;
    const actual = bytes.subarray(start, start + found.length);
    assert.equal(actual.toHex(), found.toHex(), `${request}: ${stderr}`);
  }
}

/** A wrong count of blocks makes debugfs write far behind the image's end. */
async function readHead(image: string, length: number): Promise<Uint8Array> {
  using file = await Deno.open(image);
  const head = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const n = await file.read(head.subarray(done));
    if (n === null) break;
    done += n;
  }
  return head;
}

/** A value as debugfs takes it, and the bytes it must become. */
function sample(name: string, size: number): [string, Uint8Array] {
  const text = new TextEncoder();
  if (/uuid|seed/.test(name)) {
    const digits = "0123456789abcdeffedcba9876543210";
    const uuid = digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    return [uuid, Uint8Array.fromHex(digits)];
  }
  if (/volume_name|last_mounted/.test(name)) {
    return ["text", text.encode("text")];
  }
  const bytes = Uint8Array.fromHex("01020304").subarray(0, Math.min(size, 4));
  return [`0x${bytes.slice().reverse().toHex()}`, bytes];
}
