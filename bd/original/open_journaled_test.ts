import assert from "node:assert/strict";
import { format } from "../../fs/mod.ts";
import { IntegrityError } from "../block_device.ts";
import { type CipherName, CryptDevice } from "../crypt.ts";
import { RollbackError } from "../journal/errors.ts";
import { WrongKeyError } from "../keys/errors.ts";
import { HostFile, InUseError, StdDevice } from "../std.ts";
import { originalTreeBytes } from "../tree_builder.ts";
import { AnchorOptionError } from "../volume/errors.ts";
import { buildTree } from "./build_tree.ts";
import { parseDeviceSpec, readSecrets } from "./device_spec.ts";
import { deriveImageKey } from "./image_key.ts";
import { JournalNeededError } from "./image_journal.ts";
import { openJournaled, type OpenJournaledOptions } from "./open_journaled.ts";
import { openOriginal, type OriginalImage } from "./open_original.ts";
import { encodeState } from "./root_file.ts";

const BLOCK_SIZE = 1024;
const BLOCKS = 512;
/** A block that nothing needs. */
const FREE = 400;

/** An image in a directory of its own. */
interface Shape {
  /** The cipher, if it is encrypted. */
  cipher?: CipherName;
  /** The password of its tree, `""` for none; absent without a tree. */
  key?: string;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The image of a shape, and its first root. */
class Image {
  readonly path: string;
  readonly #shape: Shape;
  /** The root that it was made with. */
  root = "";

  constructor(readonly dir: string, shape: Shape) {
    this.path = `${dir}/image`;
    this.#shape = shape;
  }

  async make(): Promise<void> {
    const { cipher, key } = this.#shape;
    const file = HostFile.open(this.path, { create: BLOCK_SIZE * BLOCKS });
    const stored = new StdDevice(file, BLOCK_SIZE);
    const device = cipher
      ? new CryptDevice(stored, {
        cipher,
        key: deriveImageKey(bytes("password"), cipher),
      })
      : stored;
    format(device, { blank: true });
    if (key !== undefined) {
      const tree = HostFile.open(`${this.dir}/tree`, {
        create: originalTreeBytes(BLOCKS, 32),
      });
      const state = await buildTree(stored, tree, {
        algorithm: "sha256",
        key: key === "" ? null : bytes(key),
        workers: 0,
      });
      this.root = `${state.root.toHex()}@${BLOCKS}`;
      await Deno.writeFile(`${this.dir}/root`, encodeState(state));
      tree.close();
    }
    device.close();
  }

  /** Opens it with its journal, by its root file if no other root is given. */
  on(
    root?: string,
    options: Partial<OpenJournaledOptions> & { password?: string } = {},
  ): Promise<OriginalImage> {
    const spec = this.#spec(root, options.password);
    const quiet = { journalSize: 1 << 20, log: (): void => {} };
    return openJournaled(this.path, spec, { ...quiet, ...options });
  }

  /** The same without a journal. */
  off(root?: string, { readOnly = false } = {}): OriginalImage {
    const spec = this.#spec(root);
    return openOriginal(this.path, spec, { readOnly, log: () => {} });
  }

  #spec(
    root = `file=${this.dir}/root`,
    password = "password",
  ): ReturnType<typeof readSecrets> {
    const { cipher, key } = this.#shape;
    const verity = key === undefined ? "" : `:${this.dir}/tree:${key}:${root}`;
    const crypt = cipher ? `:${password}:${cipher}` : "";
    const name = `${verity && "veri"}${
      crypt ? verity ? "crypt" : "crypt" : verity ? "ty" : "std"
    }`;
    return readSecrets(parseDeviceSpec(`bd${name}${verity}${crypt}`), bytes);
  }
}

async function withImage(
  shape: Shape,
  visit: (image: Image) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "nextfs-test-" });
  try {
    const image = new Image(dir, shape);
    await image.make();
    await visit(image);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Stores a block of one value. */
async function put(
  { device }: OriginalImage,
  value: number,
  block = FREE,
): Promise<void> {
  device.write(block, new Uint8Array(BLOCK_SIZE).fill(value));
  await device.flush();
}

/** The value of a block that is all of one. */
function get({ device }: OriginalImage, block = FREE): number {
  const into = new Uint8Array(BLOCK_SIZE);
  device.read(block, into);
  assert(into.every((byte) => byte === into[0]));
  return into[0];
}

/** Opens it, commits these values, and leaves it as a killed process does. */
async function killed(
  opening: Promise<OriginalImage>,
  ...values: number[]
): Promise<void> {
  const image = await opening;
  for (const value of values) await put(image, value);
  image.device.close();
}

const root = ({ verity }: OriginalImage): string =>
  `${verity!.state.root.toHex()}@${BLOCKS}`;

const SHAPES: [string, Shape][] = [
  ["bdstd", {}],
  ["bdcrypt", { cipher: "aes-256-cbc" }],
  ["bdverity", { key: "mac" }],
  ["bdverity without a key", { key: "" }],
  ["bdvericrypt", { cipher: "aes-256-xts", key: "mac" }],
];

for (const [name, shape] of SHAPES) {
  Deno.test(`${name}: what was committed is there after a kill`, () =>
    withImage(shape, async (image) => {
      const before = await Deno.readFile(image.path);
      await killed(image.on(), 1, 2);
      assert.deepEqual(await Deno.readFile(image.path), before);
      for (const readOnly of [true, false]) {
        assert.throws(
          () => image.off(undefined, { readOnly }),
          (error) =>
            error instanceof JournalNeededError &&
            /not in the image yet \(give --journal=on\)/.test(error.message),
        );
      }
      const reader = await image.on(undefined, { readOnly: true });
      assert.equal(get(reader), 2);
      reader.device.close();
      assert.deepEqual(await Deno.readFile(image.path), before);
      const writer = await image.on();
      assert.equal(get(writer), 2);
      await put(writer, 3);
      await writer.device.settle!();
      writer.device.close();
      const plain = image.off(undefined, { readOnly: true });
      assert.equal(get(plain), 3);
      plain.device.close();
    }));

  Deno.test(`${name}: a journal that is done with cannot come back`, () =>
    withImage(shape, async (image) => {
      const first = await image.on();
      await put(first, 1);
      await first.device.settle!();
      first.device.close();
      await Deno.stat(`${image.path}.journal`);
      const plain = image.off();
      await put(plain, 2);
      plain.device.close();
      await assert.rejects(
        Deno.stat(`${image.path}.journal`),
        Deno.errors.NotFound,
      );
      const again = await image.on();
      assert.equal(get(again), 2);
      again.device.close();
    }));

  Deno.test(`${name}: image and journal are one's own while they are open`, () =>
    withImage(shape, async (image) => {
      const writer = await image.on();
      await assert.rejects(image.on(), InUseError);
      assert.throws(() => HostFile.open(`${image.path}.journal`), InUseError);
      writer.device.close();
      const journal = HostFile.open(`${image.path}.journal`);
      await assert.rejects(image.on(), InUseError);
      journal.close();
    }));
}

Deno.test("a commit counts once it is in the root file, and not before", () =>
  withImage({ key: "mac" }, async (image) => {
    const opened = await image.on();
    await put(opened, 1);
    const before = await Deno.readFile(`${image.dir}/root`);
    await put(opened, 2);
    opened.device.close();
    const after = await Deno.readFile(`${image.dir}/root`);
    for (const [file, value] of [[after, 2], [before, 1]] as const) {
      await Deno.writeFile(`${image.dir}/root`, file);
      const reader = await image.on(undefined, { readOnly: true });
      assert.equal(get(reader), value);
      reader.device.close();
    }
    // What was not acknowledged never comes back.
    await killed(image.on(), 3);
    await Deno.writeFile(`${image.dir}/root`, after);
    await assert.rejects(image.on(), RollbackError);
  }));

Deno.test("a root file that was put back further is refused", () =>
  withImage({ key: "mac" }, async (image) => {
    const before = await Deno.readFile(`${image.dir}/root`);
    await killed(image.on(), 1, 2);
    await Deno.writeFile(`${image.dir}/root`, before);
    await assert.rejects(
      image.on(),
      /Cannot open .*at generation 3, and .* of 1: the root file was rolled/,
    );
  }));

for (const isSettled of [true, false]) {
  const how = isSettled ? "in good order" : "by a kill";
  Deno.test(`an image put back, ended ${how}, is refused, or accepted`, () =>
    withImage({ key: "mac" }, async (image) => {
      const names = ["image", "tree", "image.journal"];
      const session = async (...values: number[]): Promise<void> => {
        const opened = await image.on();
        for (const value of values) await put(opened, value);
        if (isSettled) await opened.device.settle!();
        opened.device.close();
      };
      await session(1, 2);
      const old = new Map<string, Uint8Array>();
      for (const name of names) {
        old.set(name, await Deno.readFile(`${image.dir}/${name}`));
      }
      await session(3, 4);
      for (const [name, bytes] of old) {
        await Deno.writeFile(`${image.dir}/${name}`, bytes);
      }
      for (const readOnly of [true, false]) {
        await assert.rejects(
          image.on(undefined, { readOnly }),
          (error) =>
            error instanceof RollbackError && error.isAcceptable &&
            /generation 3, whose root is not the one in .*\/root: rolled/
              .test(error.message),
        );
      }
      const wrong = { acceptRollback: 4 };
      await assert.rejects(image.on(undefined, wrong), RollbackError);
      const right = { acceptRollback: 3 };
      const reader = await image.on(undefined, { ...right, readOnly: true });
      assert.equal(get(reader), 2);
      reader.device.close();
      const opened = await image.on(undefined, right);
      assert.match(opened.warnings.join(), /^accepted generation 3 in place/);
      opened.device.close();
      const later = await image.on();
      assert.equal(get(later), 2);
      later.device.close();
    }));
}

Deno.test("with a password of the tree, the first root leads to the last", () =>
  withImage({ key: "mac" }, async (image) => {
    const { root: first } = image;
    await killed(image.on(first), 1, 2);
    assert.throws(() => image.off(first), JournalNeededError);
    // To open it is to move the checkpoint on, beyond the first root.
    await killed(image.on(first), 3);
    await killed(image.on(first));
    const opened = await image.on(first);
    assert.equal(get(opened), 3);
    await put(opened, 4);
    await opened.device.settle!();
    const last = root(opened);
    opened.device.close();
    assert.throws(() => image.off(first), JournalNeededError);
    const plain = image.off(last, { readOnly: true });
    assert.equal(get(plain), 4);
    plain.device.close();
    // Once it was opened by a newer root, the old one is of the past.
    await killed(image.on(last), 5);
    await assert.rejects(image.on(first), RollbackError);
    const again = await image.on(last);
    assert.equal(get(again), 5);
    again.device.close();
  }));

Deno.test("without one, nothing is believed that is behind the root", () =>
  withImage({ key: "" }, async (image) => {
    const { root: first } = image;
    await killed(image.on(first), 1, 2);
    assert.throws(() => image.off(first), JournalNeededError);
    const opened = await image.on(first);
    assert.equal(get(opened), 0);
    assert.match(opened.warnings.join(), /goes on to generation 3; without/);
    opened.device.close();
  }));

Deno.test("a root file that is new begins with the present root", () =>
  withImage({ key: "mac" }, async (image) => {
    const rootFile = `${image.dir}/kept`;
    await killed(image.on(image.root), 1);
    await killed(image.on(image.root, { rootFile }), 2);
    const opened = await image.on(`file=${rootFile}`);
    assert.equal(get(opened), 2);
    opened.device.close();
  }));

Deno.test("a journal that is none, or of others, is left alone", () =>
  withImage({}, async (image) => {
    const path = `${image.path}.journal`;
    await Deno.writeTextFile(path, "a text\n".repeat(2000));
    await assert.rejects(image.on(), /it is no journal of an image: move it/);
    const opened = image.off();
    opened.device.close();
    assert.match(
      opened.warnings.join(),
      /image\.journal is no journal of this image, and is left alone$/,
    );
    assert.match(await Deno.readTextFile(path), /^a text/);
    await Deno.remove(path);
    await Deno.symlink(image.path, path);
    await assert.rejects(image.on(), /not a regular file/);
    await Deno.remove(path);
    // What a crash has left of one that was being made.
    await Deno.writeFile(path, new Uint8Array(1 << 20));
    (await image.on()).device.close();
    // A clean one of an image that was larger.
    await Deno.truncate(image.path, BLOCK_SIZE * (BLOCKS - 8));
    (await image.on()).device.close();
    // One with commits is not.
    await killed(image.on(), 1);
    await Deno.truncate(image.path, BLOCK_SIZE * (BLOCKS - 16));
    await assert.rejects(image.on(), /commits of an image of another size/);
    assert.throws(() => image.off(), /commits of an image of another size/);
  }));

Deno.test("a changed journal is damage, unless the key is seen to be wrong", async () => {
  await withImage({ cipher: "aes-256-xts" }, async (image) => {
    await killed(image.on(), 1);
    await assert.rejects(
      image.on(undefined, { password: "wrong" }),
      WrongKeyError,
    );
    const journal = await Deno.readFile(`${image.path}.journal`);
    // Both slots of the checkpoint, of which the second counts.
    for (const at of [100, 4096 + 100]) journal[at] ^= 1;
    await Deno.writeFile(`${image.path}.journal`, journal);
    await assert.rejects(
      image.on(),
      (error) =>
        error instanceof IntegrityError && /not authentic/.test(error.message),
    );
  });
});

Deno.test("there is nothing to accept without a tree, or a journal", async () => {
  const options = { acceptRollback: 1 };
  await withImage({}, async (image) => {
    await assert.rejects(image.on(undefined, options), AnchorOptionError);
  });
  await withImage({ key: "mac" }, async (image) => {
    await assert.rejects(image.on(undefined, options), AnchorOptionError);
  });
});
