import { deepEqual, equal, throws } from "node:assert/strict";
import { S_IFDIR, S_IFREG } from "../fs/attributes.ts";
import { TarReader } from "./tar.ts";
import { TarError } from "./tar_header.ts";

const encoder = new TextEncoder();

/** Fields of a header as text or bytes, by their offset. */
type Fields = Record<number, string | number[]>;

function header(fields: Fields, checksum?: number): Uint8Array {
  const block = new Uint8Array(512);
  const defaults: Fields = {
    0: "name",
    100: "0000644\0",
    108: "0000001\0",
    116: "0000002\0",
    124: "00000000000\0",
    136: "00000000003\0",
    148: " ".repeat(8),
    156: "0",
    257: "ustar\x0000",
  };
  for (const [at, value] of Object.entries({ ...defaults, ...fields })) {
    const bytes = typeof value === "string" ? encoder.encode(value) : value;
    block.set(bytes, Number(at));
  }
  const sum = checksum ?? block.reduce((total, byte) => total + byte, 0);
  block.set(encoder.encode(`${sum.toString(8).padStart(6, "0")}\0 `), 148);
  return block;
}

function data(text: string | Uint8Array): Uint8Array {
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  const padded = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
  padded.set(bytes);
  return padded;
}

const octal = (size: number): string =>
  `${size.toString(8).padStart(11, "0")}\0`;

function member(fields: Fields, contents: string | Uint8Array): Uint8Array[] {
  const { length } = data(contents) && typeof contents === "string"
    ? encoder.encode(contents)
    : contents;
  return [header({ ...fields, 124: octal(length) }), data(contents)];
}

function pax(records: Record<string, string>, type = "x"): Uint8Array[] {
  let text = "";
  for (const [key, value] of Object.entries(records)) {
    const body = ` ${key}=${value}\n`;
    let length = encoder.encode(body).length + 1;
    while (String(length).length + encoder.encode(body).length !== length) {
      length++;
    }
    text += length + body;
  }
  return member({ 156: type }, text);
}

const END = new Uint8Array(1024);

/** A reader of the blocks, which come in pieces of `piece` bytes. */
function reader(blocks: Uint8Array[], piece = 700): TarReader {
  const all = new Uint8Array(blocks.reduce((n, b) => n + b.length, 0));
  let end = 0;
  for (const block of blocks) {
    all.set(block, end);
    end += block.length;
  }
  let at = 0;
  return new TarReader({
    read: (into): number => {
      const count = Math.min(piece, into.length, all.length - at);
      into.set(all.subarray(at, at + count));
      at += count;
      return count;
    },
  });
}

function contents(tar: TarReader): string {
  const into = new Uint8Array(64);
  let text = "";
  for (let n = tar.read(into); n > 0; n = tar.read(into)) {
    text += new TextDecoder().decode(into.subarray(0, n));
  }
  return text;
}

const name = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

Deno.test("next() decodes a ustar header and read() its data", () => {
  const tar = reader([
    ...member({ 0: "file", 345: "some/prefix" }, "hello"),
    header({ 0: "dir/", 156: "\0" }),
    END,
  ]);
  const file = tar.next()!;
  equal(name(file.path), "some/prefix/file");
  deepEqual(
    [file.kind, file.mode, file.uid, file.gid, file.size, file.mtime.sec],
    [S_IFREG, 0o644, 1, 2, 5, 3],
  );
  equal(contents(tar), "hello");
  equal(tar.next()!.kind, S_IFDIR, "Version 7 marks directories by a slash");
  equal(tar.next(), null);
  equal(tar.next(), null);
});

Deno.test("next() reads numbers in base 256, also negative ones", () => {
  const tar = reader([
    header({
      108: [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe],
      136: [0xff, ...Array(10).fill(0xff), 0xfe],
    }),
    END,
  ]);
  const { uid, mtime } = tar.next()!;
  deepEqual([uid, mtime.sec], [0xfffffffe, -2]);
});

Deno.test("next() lets PAX records and long names override the header", () => {
  const long = "x/".repeat(150) + "end";
  const tar = reader([
    ...pax({ uid: "70000" }, "g"),
    ...pax({
      path: "pax",
      mtime: "-1.25",
      atime: "5.123456789123",
      size: "3",
      "SCHILY.xattr.user.a=b": "1=2",
      comment: "ignored",
    }),
    header({ 0: "short" }),
    data("abc"),
    ...member({ 0: "././@LongLink", 156: "L" }, `${long}\0`),
    header({ 0: "short" }),
    END,
  ]);
  const first = tar.next()!;
  deepEqual(
    [name(first.path), first.uid, first.mtime, first.atime],
    ["pax", 70000, { sec: -2, nsec: 750_000_000 }, {
      sec: 5,
      nsec: 123_456_789,
    }],
  );
  deepEqual([...first.xattrs.keys()], ["user.a"]);
  equal(contents(tar), "abc");
  const second = tar.next()!;
  deepEqual([name(second.path), second.uid], [long, 70000]);
});

Deno.test("next() maps the data of sparse files in PAX formats", () => {
  const described = { "GNU.sparse.name": "real", "GNU.sparse.realsize": "90" };
  const versions = [
    [
      ...pax({ "GNU.sparse.map": "0,2,50,3", "GNU.sparse.size": "90" }),
      ...member({}, "abcde"),
    ],
    [
      ...pax({
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        ...described,
      }),
      ...member({}, data("2\n0\n2\n50\n3\n")),
    ],
  ];
  // The data of format 1.0 comes behind the map, in the same member.
  versions[1].splice(
    -2,
    2,
    header({ 124: octal(517) }),
    data("2\n0\n2\n50\n3\n"),
    data("abcde"),
  );
  for (const blocks of versions) {
    const tar = reader([...blocks, END]);
    const { size, extents } = tar.next()!;
    equal(size, 90);
    deepEqual(extents, [{ offset: 0, length: 2 }, { offset: 50, length: 3 }]);
    equal(contents(tar), "abcde");
    equal(tar.next(), null);
  }
});

Deno.test("next() refuses what breaks the format", () => {
  const sparse = (map: string, size = "9"): Uint8Array[] => [
    ...pax({ "GNU.sparse.map": map, "GNU.sparse.size": size }),
    ...member({}, "abcde"),
    END,
  ];
  const cases: [string, Uint8Array[]][] = [
    ["a wrong checksum", [header({}, 1), END]],
    ["a size that is no number", [header({ 124: "12x45678901\0" }), END]],
    ["a negative size", [header({ 124: Array(12).fill(0xff) }), END]],
    ["a size above 2^53", [header({ 124: [0x80, ...Array(11).fill(9)] })]],
    ["an unknown type", [header({ 156: "M" }), END]],
    ["no end", [header({})]],
    ["half a header", [header({}).subarray(0, 100)]],
    ["data that ends early", [header({ 124: octal(600) }), data("x")]],
    ["a PAX header without a member", [...pax({ path: "x" }), END]],
    ["a record with a wrong length", [...member({ 156: "x" }, "99 a=b\n")]],
    ["a record without a length", [...member({ 156: "x" }, "a=b\n")]],
    ["a record with length 0", [...member({ 156: "x" }, "0 a=b\n")]],
    ["a record without =", [...member({ 156: "x" }, "5 ab\n")]],
    ["a time that is none", [...pax({ mtime: "now" }), header({}), END]],
    ["a huge PAX header", [header({ 156: "x", 124: octal(2 ** 30) })]],
    ["a huge name", [header({ 156: "L", 124: octal(2 ** 20) })]],
    ["extents that overlap", sparse("0,3,2,2")],
    ["an extent behind the end", sparse("0,2,7,3")],
    ["extents that miss data", sparse("0,2,4,2")],
    ["half an extent", sparse("0,2,4")],
    ["a sparse format of the future", [
      ...pax({ "GNU.sparse.major": "2", "GNU.sparse.realsize": "1" }),
      header({}),
    ]],
    ["gzip", [new Uint8Array(512).fill(1).map((_, i) => [0x1f, 0x8b][i] ?? 1)]],
  ];
  for (const [what, blocks] of cases) {
    throws(
      () => {
        const tar = reader(blocks);
        while (tar.next()) contents(tar);
      },
      TarError,
      what,
    );
  }
});

Deno.test("next() takes a PAX value of no bytes for none at all", () => {
  const tar = reader([
    ...pax({ uid: "70000", path: "global" }, "g"),
    ...pax({ uid: "", path: "", "SCHILY.xattr.user.empty": "" }),
    header({ 0: "own" }),
    END,
  ]);
  const { uid, path, xattrs } = tar.next()!;
  deepEqual([uid, name(path)], [1, "own"]);
  deepEqual([...xattrs], [["user.empty", new Uint8Array()]]);
});

Deno.test("next() names the member whose size no file can have", () => {
  const size = String(Number.MAX_SAFE_INTEGER);
  const tar = reader([...pax({ size }), header({ 0: "huge" }), END]);
  throws(() => tar.next(), /^TarError: huge: its size, 9007199254740991 bytes/);
});

Deno.test("next() says what unpacks a compressed archive", () => {
  const starts: [string, number[]][] = [
    ["gzip", [0x1f, 0x8b, 8]],
    ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0]],
    ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
    ["bzip2", [...encoder.encode("BZh91AY&SY")]],
  ];
  for (const [tool, start] of starts) {
    for (const length of [100, 1024]) {
      const bytes = new Uint8Array(length);
      bytes.set(start);
      throws(() => reader([bytes]).next(), new RegExp(`${tool} -dc`));
    }
  }
  const named = reader([header({ 0: "BZh9 is a name" }), END]);
  equal(name(named.next()!.path), "BZh9 is a name");
});
