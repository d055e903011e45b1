import assert from "node:assert/strict";
import {
  assertClean,
  debugfs,
  must,
  testWith,
  withTempDir,
} from "../support/tools.ts";
import { nextfs, ok, startProgram, withServer, writeTree } from "./program.ts";

/** A tree with one of everything that needs no superuser. */
async function makeSample(root: string): Promise<void> {
  await writeTree(root, {
    "a/b/c/deep.txt": "deep\n",
    "empty": "",
    "private/key": "secret",
    "no-files/": "",
    "sparse": "start",
    "umlaut-ü": "ü",
  });
  await Deno.chmod(`${root}/private`, 0o700);
  await Deno.chmod(`${root}/private/key`, 0o400);
  await Deno.truncate(`${root}/sparse`, 5_000_000);
  await Deno.symlink("../a/b", `${root}/a/link`);
  await Deno.symlink("x".repeat(200), `${root}/long-link`);
  await Deno.link(`${root}/a/b/c/deep.txt`, `${root}/second-name`);
  await must("mkfifo", `${root}/pipe`);
  await must("touch", "-d", "@1600000000.123456789", `${root}/empty`);
  await must("touch", "-d", "@1500000000.987654321", `${root}/a`);
  await must("touch", "-h", "-d", "@1400000000.5", `${root}/long-link`);
}

const shapes = [
  ["1024", "128"],
  ["1024", "256"],
  ["2048", "256"],
  ["4096", "128"],
  ["4096", "256"],
];

for (const [block, inode] of shapes) {
  await testWith(
    ["e2fsprogs"],
    `makefs makes a clean image of ${block}-byte blocks, ${inode}-byte inodes`,
    () =>
      withTempDir(async (dir) => {
        await makeSample(`${dir}/tree`);
        const image = `${dir}/x.img`;
        await ok(["makefs", "-b", block, "-I", inode, image, `${dir}/tree`]);
        await assertClean(image);
        const deep = await debugfs(image, "cat /a/b/c/deep.txt");
        assert.equal(deep, "deep\n");
        const listing = await debugfs(image, "ls -p /");
        const names = listing.split("\n").filter((line) => line !== "")
          .map((line) => line.split("/")).map(([, , mode, , , name]) =>
            `${mode} ${name}`
          );
        for (const entry of ["040700 private", "010644 pipe"]) {
          assert(names.includes(entry), `${entry} in ${names}`);
        }
        const empty = await debugfs(image, "stat /empty");
        assert.match(empty, /mtime: 0x5f5e1000/);
        if (inode === "256") {
          // The field's upper 30 bits are nanoseconds.
          const field = (123456789 * 4).toString(16).padStart(8, "0");
          assert.match(empty, new RegExp(`mtime: 0x5f5e1000:${field}`));
        }
        const second = await debugfs(image, "stat /second-name");
        assert.match(second, /Links: 2/);
        const sparse = await debugfs(image, "stat /sparse");
        assert.match(sparse, /Size: 5000000/);
        assert(Number(/Blockcount: (\d+)/.exec(sparse)![1]) <= 16, sparse);
      }),
  );
}

await testWith(
  ["e2fsprogs"],
  "makefs takes size, label, UUID and counts",
  () =>
    withTempDir(async (dir) => {
      const uuid = "01234567-89ab-cdef-0123-456789abcdef";
      const image = `${dir}/x.img`;
      const flags = ["-s", "32M", "-L", "label", "-U", uuid, "-m", "10"];
      await ok(["makefs", ...flags, "-N", "1000", "-t", "2", image]);
      await assertClean(image);
      assert.equal((await Deno.stat(image)).size, 32 << 20);
      const header = await must("dumpe2fs", "-h", image);
      assert.match(header, /Filesystem volume name: +label/);
      assert.match(header, new RegExp(`Filesystem UUID: +${uuid}`));
      assert.match(header, /Reserved block count: +819/);
      const inodes = Number(/Inode count: +(\d+)/.exec(header)![1]);
      assert(inodes >= 1000 && inodes < 1200, `${inodes} inodes`);
    }),
);

await testWith(
  ["e2fsprogs"],
  "makefs finds room for files without contents, and for large ones",
  () =>
    withTempDir(async (dir) => {
      await must("bash", "-c", `mkdir ${dir}/t; cd ${dir}/t; touch {1..20000}`);
      await writeTree(`${dir}/u`, { "large": "contents".repeat(3_000_000) });
      for (const tree of ["t", "u"]) {
        for (const block of ["1024", "4096"]) {
          const image = `${dir}/${tree}${block}.img`;
          await ok(["makefs", "-b", block, image, `${dir}/${tree}`]);
          await assertClean(image);
        }
      }
      assert((await Deno.stat(`${dir}/u4096.img`)).size < 30_000_000);
    }),
);

await testWith(
  ["e2fsprogs"],
  "makefs --reproducible repeats itself",
  () =>
    withTempDir(async (dir) => {
      await makeSample(`${dir}/tree`);
      const env = { SOURCE_DATE_EPOCH: "1234567890" };
      for (const name of ["1", "2"]) {
        const image = `${dir}/${name}.img`;
        await ok(["makefs", "--reproducible", image, `${dir}/tree`], { env });
        // Reading changes access times, which must not matter.
        await must("grep", "-r", "secret", `${dir}/tree/private`);
      }
      await must("cmp", `${dir}/1.img`, `${dir}/2.img`);
      assert.match(
        await must("dumpe2fs", "-h", `${dir}/1.img`),
        /Filesystem created: +Fri Feb 13/,
      );
    }),
);

Deno.test("makefs leaves nothing behind when it fails", () =>
  withTempDir(async (dir) => {
    await writeTree(`${dir}/tree`, { "big": "x".repeat(3_000_000) });
    const image = `${dir}/x.img`;
    const full = await nextfs(["makefs", "-s", "2M", image, `${dir}/tree`]);
    assert.equal(full.code, 1);
    assert.match(
      full.stderr,
      /x\.img: No space left on device for .*\/big: give/,
    );
    const missing = await nextfs(["makefs", image, `${dir}/nowhere`]);
    assert.equal(missing.code, 1);
    assert.equal(
      missing.stderr,
      `nextfs makefs: ${dir}/nowhere: No such file or directory\n`,
    );
    assert.deepEqual([...Deno.readDirSync(dir)].map((e) => e.name), ["tree"]);
  }));

Deno.test("makefs replaces an image only if it is empty or told to", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/x.img`;
    await Deno.writeTextFile(image, "precious");
    const refused = await nextfs(["makefs", "-s", "1M", image]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /File exists \(--force replaces it\)/);
    assert.equal(await Deno.readTextFile(image), "precious");
    await ok(["makefs", "-s", "1M", "--force", image]);
    await Deno.writeTextFile(`${dir}/empty.img`, "");
    await ok(["makefs", "-s", "1M", `${dir}/empty.img`]);
  }));

Deno.test("makefs refuses wrong usage with exit code 2 and a hint", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/x.img`;
    const cases: [string[], RegExp][] = [
      [["makefs"], /Missing operand; usage: nextfs makefs IMAGE/],
      [["makefs", image], /needs a size: --size 128M/],
      [["makefs", "-t", "4", image], /'4' is not supported: only 2, for ext2/],
      [["makefs", "-s", "big", image], /--?s\w*: 'big' is not a size/],
      [["makefs", "-b", "512", image], /not a block size: 1024, 2048 or 4096/],
      [["makefs", "--lable", "x", image], /did you mean '--label'\?/],
      [["makefs", "-U", "1", image], /is not a UUID/],
      [["makefs", "--tar", "a", image, "b"], /exclude each other/],
      [["makfs", image], /Unknown command 'makfs'; did you mean 'makefs'\?/],
    ];
    for (const [args, message] of cases) {
      const { code, stderr, stdout } = await nextfs(args);
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, message);
      assert.equal(stdout, "");
      assert.equal(stderr.trim().split("\n").length, 1, stderr);
    }
  }));

Deno.test("makefs that is interrupted leaves nothing and ends with 130", () =>
  withTempDir(async (dir) => {
    await Deno.writeFile(`${dir}/data`, new Uint8Array(8 << 20).fill(1));
    const tar = ["tar", "-C", dir, "-cf", `${dir}/x.tar`];
    await must(...tar as [string], "data");
    const size = 512 + (8 << 20);
    const member = (await Deno.readFile(`${dir}/x.tar`)).subarray(0, size);
    await Deno.mkdir(`${dir}/out`);
    const args = ["makefs", "-s", "1G", "--tar", "-", `${dir}/out/x.img`];
    const child = startProgram(args);
    const writer = child.stdin.getWriter();
    await writer.write(member);
    // It reads: the signal finds it at work, in the middle of the archive.
    child.kill("SIGINT");
    const fed = (async () => {
      for (;;) await writer.write(member);
    })().catch(() => {});
    const { code, stderr } = await child.output();
    await fed;
    assert.equal(code, 130);
    assert.match(new TextDecoder().decode(stderr), /makefs: Interrupted/);
    assert.deepEqual([...Deno.readDirSync(`${dir}/out`)], []);
  }));

await testWith(
  ["e2fsprogs", "setfattr"],
  "makefs reads what GNU tar writes",
  () =>
    withTempDir(async (dir) => {
      const tree = `${dir}/tree`;
      await makeSample(tree);
      await writeTree(tree, { [`${"long/".repeat(60)}name`]: "far down" });
      await must(
        "setfattr",
        "-n",
        "user.colour",
        "-v",
        "blue",
        `${tree}/empty`,
      );
      await must("setfattr", "-n", "user.raw", "-v", "0sAAEC/w==", `${tree}/a`);
      const variants = [
        ["--format=posix", "--xattrs"],
        ["--format=posix", "--xattrs", "-S"],
        ["--format=posix", "-S", "--sparse-version=0.0"],
        ["--format=posix", "-S", "--sparse-version=0.1"],
        ["--format=gnu", "-S"],
      ];
      for (const [i, flags] of variants.entries()) {
        const archive = `${dir}/${i}.tar`;
        const image = `${dir}/${i}.img`;
        await must("tar", ...flags, "-C", tree, "-cf", archive, ".");
        if (i % 2 === 0) await ok(["makefs", "--tar", archive, image]);
        else {
          const stdin = await Deno.readFile(archive);
          await ok(["makefs", "--tar", "-", image], { stdin });
        }
        await assertClean(image, flags.join(" "));
        const sparse = await debugfs(image, "stat /sparse");
        assert.match(sparse, /Size: 5000000/);
        assert(Number(/Blockcount: (\d+)/.exec(sparse)![1]) <= 16, sparse);
        if (flags.includes("--xattrs")) {
          const list = await debugfs(image, "ea_list /empty");
          assert.match(list, /user\.colour \(4\) = "blue"/);
          const raw = await debugfs(image, "ea_list /a");
          assert.match(raw, /user\.raw \(4\) = 00 01 02 ff/);
        }
        if (flags.includes("--format=posix")) {
          const field = (123456789 * 4).toString(16).padStart(8, "0");
          const empty = await debugfs(image, "stat /empty");
          assert.match(empty, new RegExp(`mtime: 0x5f5e1000:${field}`));
        }
        await must("mkdir", `${dir}/out`);
        await debugfs(image, `rdump / ${dir}/out`);
        await must("rm", "-r", `${dir}/out/lost+found`);
        await must("mv", `${tree}/pipe`, `${dir}/pipe`);
        await must("diff", "-r", "--no-dereference", tree, `${dir}/out`);
        await must("mv", `${dir}/pipe`, `${tree}/pipe`);
        await must("rm", "-r", `${dir}/out`);
      }
    }),
);

Deno.test("makefs --tar - with --size needs no second look", () =>
  withTempDir(async (dir) => {
    await writeTree(`${dir}/tree`, { "file": "contents" });
    await must("tar", "-C", `${dir}/tree`, "-cf", `${dir}/x.tar`, "file");
    const stdin = await Deno.readFile(`${dir}/x.tar`);
    const image = `${dir}/x.img`;
    await ok(["makefs", "-s", "1M", "--tar", "-", image], { stdin });
    await withServer(image, async (server) => {
      assert.equal(await server.ok("cat", "/file"), "contents");
    });
  }));

Deno.test("makefs refuses an archive that ends early or leads out", () =>
  withTempDir(async (dir) => {
    await writeTree(`${dir}/tree`, { "file": "x".repeat(20_000), "up": "y" });
    const tar = ["tar", "-P", "-C", `${dir}/tree`, "-cf"] as const;
    await must(...tar, `${dir}/x.tar`, "file");
    const whole = await Deno.readFile(`${dir}/x.tar`);
    for (const length of [100, 512, 10_000, 20_992]) {
      const stdin = whole.slice(0, length);
      const image = `${dir}/x.img`;
      const { code, stderr } = await nextfs(["makefs", "--tar", "-", image], {
        stdin,
      });
      assert.equal(code, 1, `${length} bytes`);
      assert.match(stderr, /the archive ends early/);
      await assert.rejects(Deno.stat(image));
    }
    await must(...tar, `${dir}/up.tar`, "--transform=s,^,../,", "up");
    const up = await nextfs(["makefs", "--tar", `${dir}/up.tar`, `${dir}/x`]);
    assert.equal(up.code, 1);
    assert.match(up.stderr, /contains '\.\.'/);
    await must(...tar, `${dir}/abs.tar`, "--transform=s,^,/abs/,", "up");
    await ok(["makefs", "--tar", `${dir}/abs.tar`, `${dir}/abs.img`]);
    await withServer(`${dir}/abs.img`, async (server) => {
      assert.equal(await server.ok("cat", "/abs/up"), "y");
    });
  }));

Deno.test("makefs stops at a name that is not UTF-8 and says how to go on", () =>
  withTempDir(async (dir) => {
    await must("bash", "-c", `mkdir -p ${dir}/tree; : > ${dir}/tree/$'\\377'`);
    const refused = await nextfs(["makefs", `${dir}/x.img`, `${dir}/tree`]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /name is not UTF-8 \(a tar stream can/);
    await must("tar", "-C", `${dir}/tree`, "-cf", `${dir}/x.tar`, ".");
    await ok(["makefs", "--tar", `${dir}/x.tar`, `${dir}/x.img`]);
    await withServer(`${dir}/x.img`, async (server) => {
      const { bytes } = await server.client("ls", "/");
      assert.deepEqual([...bytes.slice(-2)], [0xff, 0x0a]);
      const get = await server.client("get", "-r", "/", `${dir}/out`);
      assert.equal(get.code, 1);
      assert.match(get.stderr, /\\377: Its name is not UTF-8: left out/);
    });
  }));
