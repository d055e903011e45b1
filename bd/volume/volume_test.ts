import assert from "node:assert/strict";
import { WrongKeyError } from "../keys/key_slot.ts";
import { InUseError } from "../std.ts";
import { pagedTreeBytes } from "../open_verity.ts";
import {
  ask,
  block,
  contents,
  FAST_SCRYPT,
  KEYED_DEVICES,
  keyFile,
  names,
  newVolume,
  passphrase,
  withVolume,
  writeBlocks,
} from "../../tests/support/volumes.ts";
import { withTempDir } from "../../tests/support/tools.ts";
import { ANCHOR_BYTES } from "./anchor.ts";
import { createVolume } from "./create.ts";
import { DEVICES, hasKey } from "./descriptor.ts";
import { NotAVolumeError } from "./errors.ts";
import { openVolume } from "./volume.ts";

for (const device of DEVICES) {
  Deno.test(`${device}: what was flushed is there at the next opening`, () =>
    withTempDir(async (dir) => {
      const path = `${dir}/v`;
      await newVolume(path, device);
      const expected = new Uint8Array(64 * 1024);
      for (const round of [1, 2]) {
        await withVolume(path, async (volume) => {
          assert.deepEqual(contents(volume), expected);
          await writeBlocks(volume, { 0: round, 5: 7, 6: 8, 63: round + 2 });
        });
        for (const [i, seed] of [[0, round], [5, 7], [6, 8], [63, round + 2]]) {
          expected.set(block(seed), i * 1024);
        }
      }
      await withVolume(path, (volume) => {
        assert.deepEqual(contents(volume), expected);
        assert.equal(volume.device.readOnly, true);
        assert.throws(() => volume.device.write(0, block(1)), /read-only/);
      }, { readOnly: true });
    }));

  Deno.test(`${device}: a volume has the files that its device needs`, () =>
    withTempDir(async (dir) => {
      await newVolume(`${dir}/v`, device, {
        blockSize: 4096,
        blockCount: 5000,
      });
      const sizes = Object.fromEntries(
        names(`${dir}/v`).map((name) => [
          name,
          Deno.statSync(`${dir}/v/${name}`).size,
        ]),
      );
      const { "volume.json": _, ...rest } = sizes;
      assert.deepEqual(rest, {
        image: 5000 * 4096,
        journal: 1 << 20,
        ...(device === "std" ? {} : { anchor: ANCHOR_BYTES }),
        ...(/veri/.test(device) ? { tree: pagedTreeBytes(5000) } : {}),
      });
      assert.deepEqual(names(dir), ["v"]);
    }));
}

Deno.test("an encrypted volume stores nothing in the clear, others do", () =>
  withTempDir(async (dir) => {
    for (const device of DEVICES) {
      const path = `${dir}/${device}`;
      await newVolume(path, device);
      await withVolume(path, async (volume) => {
        await writeBlocks(volume, { 3: 1 });
        // Nor in the journal, from where blocks go into the image.
        const journal = await Deno.readFile(`${path}/journal`);
        const isInClear = journal.toHex().includes(block(1).toHex());
        assert.equal(isInClear, !/crypt/.test(device), device);
        await volume.device.settle?.();
      });
      const image = await Deno.readFile(`${path}/image`);
      const stored = image.subarray(3 * 1024, 4 * 1024);
      const inClear = stored.every((byte, i) => byte === block(1)[i]);
      assert.equal(inClear, !/crypt/.test(device), device);
      assert(image.subarray(0, 3 * 1024).every((byte) => byte === 0), device);
    }
  }));

Deno.test("a writer has the volume alone, and readers share it", () =>
  withTempDir(async (dir) => {
    for (const device of ["std", "vericrypt"] as const) {
      const path = `${dir}/${device}`;
      await newVolume(path, device);
      await withVolume(path, async () => {
        for (const readOnly of [true, false]) {
          const second = openVolume(path, { secret: ask(1), readOnly });
          await assert.rejects(second, InUseError);
        }
      });
      const readers = [1, 2].map(() =>
        openVolume(path, { secret: ask(1), readOnly: true })
      );
      const opened = await Promise.all(readers);
      await assert.rejects(openVolume(path, { secret: ask(1) }), InUseError);
      for (const volume of opened) volume.close();
      await withVolume(path, () => {});
    }
  }));

Deno.test("a wrong secret is told from a secret of the wrong kind", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await newVolume(path, "crypt");
    const cases = [
      [ask(2), `Cannot open ${path}: wrong key file`],
      [
        () => Promise.resolve(passphrase("x")),
        `Cannot open ${path}: no passphrase opens it, only key files do`,
      ],
      [undefined, `Cannot open ${path}: it needs a passphrase or a key file`],
    ] as const;
    for (const [secret, message] of cases) {
      await assert.rejects(openVolume(path, { secret }), (error) => {
        assert(error instanceof WrongKeyError);
        assert.equal(error.message, message);
        return true;
      });
    }
    // And nothing is left open: it can be opened by one who has it alone.
    await withVolume(path, () => {});
  }));

Deno.test("secrets are overwritten, whether they open or not", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    const secrets = [keyFile(1), keyFile(1), keyFile(2)];
    await newVolume(path, "crypt", { secret: secrets[0] });
    (await openVolume(path, { secret: () => Promise.resolve(secrets[1]) }))
      .close();
    await openVolume(path, { secret: () => Promise.resolve(secrets[2]) })
      .catch(() => {});
    const short = {
      kind: "keyfile",
      bytes: new Uint8Array(31).fill(1),
    } as const;
    await newVolume(`${dir}/w`, "crypt", { secret: short }).catch(() => {});
    for (const { bytes } of [...secrets, short]) {
      assert(bytes.every((byte) => byte === 0));
    }
    assert.deepEqual(names(dir), ["v"]);
  }));

Deno.test("a passphrase opens a volume by scrypt", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    const secret = passphrase("correct horse");
    await newVolume(path, "crypt", { secret, slot: { scrypt: FAST_SCRYPT } });
    const open = (text: string) =>
      openVolume(path, { secret: () => Promise.resolve(passphrase(text)) });
    const volume = await open("correct horse");
    assert(hasKey(volume.descriptor));
    assert.deepEqual(volume.descriptor.keys[0].scrypt, FAST_SCRYPT);
    volume.close();
    await assert.rejects(open("correct house"), /wrong passphrase$/);
  }));

Deno.test("what is no volume is told from what is one and is damaged", () =>
  withTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    await Deno.mkdir(`${dir}/empty`);
    for (
      const [name, message] of [
        ["none", /No such volume \(make one with 'nextfs init /],
        ["file", /not a volume: not a directory$/],
        ["empty", /not a volume: there is no volume\.json in it$/],
      ] as const
    ) {
      await assert.rejects(openVolume(`${dir}/${name}`), (error) => {
        assert(error instanceof NotAVolumeError);
        assert.match(error.message, message);
        return true;
      });
    }
  }));

Deno.test("createVolume() takes an empty directory and nothing else", () =>
  withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/empty`);
    await newVolume(`${dir}/empty/`, "std");
    await withVolume(`${dir}/empty`, () => {});
    await Deno.writeTextFile(`${dir}/file`, "");
    for (const name of ["empty", "file"]) {
      await assert.rejects(newVolume(`${dir}/${name}`, "std"), {
        code: "EINVAL",
        message: /already exists/,
      });
    }
    assert.deepEqual(names(dir), ["empty", "file"]);
  }));

Deno.test("createVolume() does not take what it could not rename over", () =>
  withTempDir(async (dir) => {
    await Deno.mkdir(`${dir}/empty`);
    await Deno.symlink("empty", `${dir}/link`);
    await Deno.writeTextFile(`${dir}/file`, "");
    for (
      const [name, message] of [
        ["empty/.", /: give its name$/],
        ["empty/../", /: give its name$/],
        ["link/", /link: already exists/],
        ["file/v", /^Cannot make .*file\/v: Not a directory$/],
        ["none/v", /^Cannot make .*none\/v: No such file or directory$/],
      ] as const
    ) {
      await assert.rejects(newVolume(`${dir}/${name}`, "std"), { message });
    }
    assert.deepEqual(names(dir), ["empty", "file", "link"]);
  }));

Deno.test("createVolume() leaves nothing behind when it fails", () =>
  withTempDir(async (dir) => {
    const failing = [
      { fill: () => Promise.reject(new Error("full")) },
      { blockSize: 512 },
      { blockCount: 0 },
      { blockCount: 2 ** 32 },
      { secret: undefined },
      { secret: { kind: "passphrase", bytes: new Uint8Array(1) } as const },
    ];
    for (const options of failing) {
      await assert.rejects(newVolume(`${dir}/v`, "vericrypt", options));
    }
    const secret = keyFile(1);
    await assert.rejects(newVolume(`${dir}/v`, "std", { secret }), /no key/);
    assert.deepEqual(names(dir), []);
  }));

Deno.test("a volume is filled before it takes its name", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await newVolume(path, "vericrypt", {
      fill: async (volume) => {
        assert.deepEqual(names(dir), [`v.partial-${Deno.pid}`]);
        await writeBlocks(volume, { 9: 9 });
        volume.device.close();
      },
    });
    await withVolume(path, (volume) => {
      assert.deepEqual(
        contents(volume).subarray(9 * 1024, 10 * 1024),
        block(9),
      );
    });
  }));

Deno.test("a volume with a tebibyte of blocks is made at once, and is small", () =>
  withTempDir(async (dir) => {
    const path = `${dir}/v`;
    await createVolume(path, {
      device: "vericrypt",
      blockSize: 4096,
      blockCount: 2 ** 28,
      secret: keyFile(1),
      journalSize: 1 << 20,
    });
    await withVolume(path, async (volume) => {
      const blocks = { 0: 1, 12345678: 2, [2 ** 28 - 1]: 3 };
      await writeBlocks(volume, blocks);
    });
    await withVolume(path, ({ device, verity }) => {
      const bytes = new Uint8Array(4096);
      device.read(2 ** 28 - 1, bytes);
      assert.deepEqual(bytes, block(3, 4096));
      assert.equal(verity!.nextUsed(1), 12345678);
    }, { readOnly: true });
    // The journal's place is taken from the beginning.
    const sparse = names(path).filter((name) => name !== "journal");
    const used = sparse.map((name) =>
      Deno.statSync(`${path}/${name}`).blocks! * 512
    );
    assert(used.reduce((a, b) => a + b) < 256 << 10);
  }));

for (const device of KEYED_DEVICES) {
  Deno.test(`${device}: an opening for writing begins a new epoch`, () =>
    withTempDir(async (dir) => {
      const path = `${dir}/v`;
      await newVolume(path, device);
      const epochs = new Set<string>();
      for (let i = 0; i < 3; i++) {
        const writable = await withVolume(path, (v) => v.keeper!.state);
        const readable = await withVolume(path, (v) => v.keeper!.state, {
          readOnly: true,
        });
        assert.equal(readable.generation, writable.generation);
        assert.deepEqual(readable.root, writable.root);
        epochs.add(readable.epoch.toHex());
      }
      assert.equal(epochs.size, 3);
    }));
}
