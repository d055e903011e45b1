/**
 * `nextfs init`: a new volume of our own.
 *
 * @module
 */

import {
  checkPlace,
  createVolume,
  type CreateVolumeOptions,
  type DeviceKind,
  DEVICES,
} from "../bd/volume/mod.ts";
import {
  type Command,
  command,
  defaults,
  option,
  path,
  setting,
  size,
  text,
  type Values,
} from "./cli.ts";
import {
  type Contents,
  explainFull,
  makeOfTree,
  NOTHING,
  planFor,
  type SizeSettings,
} from "./contents.ts";
import { PathError, UsageError } from "./errors.ts";
import { isDirectory } from "./fill_from_tree.ts";
import { type HostNode, walkHostTree } from "./host_tree.ts";
import { journalSize } from "./journal_size.ts";
import { blockSize, label } from "./makefs.ts";
import { makeFilesystem } from "./new_image.ts";
import { Progress } from "./progress.ts";
import {
  isSecretNamed,
  readSecret,
  SCRYPT_COST,
  scryptFor,
  UNLOCK,
  UNLOCK_NOTES,
} from "./unlock.ts";

function device(value: string): DeviceKind {
  const kind = DEVICES.find((one) => one === value);
  if (kind) return kind;
  throw new RangeError(`'${value}' is not one of ${DEVICES.join(", ")}`);
}

const flags = {
  device: setting("DEVICE", "std, crypt, verity or vericrypt", device, {
    fallback: "vericrypt",
  }),
  size: option("SIZE", "Size of the volume, as in 128M", size, "s"),
  "block-size": setting("BYTES", "Bytes of a block", blockSize, {
    short: "b",
    fallback: "4096",
  }),
  from: option("DIRECTORY", "Put these files in", text),
  label: option("LABEL", "Label, up to 16 bytes", label, "L"),
  ...UNLOCK,
  ...SCRYPT_COST,
  anchor: option(
    "PATH",
    "Keep the anchor there, on other storage; none: have none (default: " +
      "beside the image)",
    path,
  ),
  "journal-size": option(
    "SIZE",
    "Size of the journal, 1M to 1G (default: a 16th of the volume, 4M to 64M)",
    journalSize,
  ),
};

/** The values of the flags. */
export type InitSettings = Values<typeof flags>;

/** The values of the flags if none is given. */
export function initDefaults(): InitSettings {
  return defaults(flags);
}

/** The command. */
export const init: Command = command({
  name: "init",
  summary: "Make a volume: encrypted, verified, or both",
  operands: "VOLUME",
  least: 1,
  most: 1,
  flags,
  notes: [
    "VOLUME is a new directory, or an empty one. It takes no more space than " +
    "what is in it, however large it may become. With --from and without " +
    "--size, it is as large as the files need and about a tenth more.",
    "The devices: crypt encrypts (AES-256-XTS), verity notices every change " +
    "that others make (a tree of HMAC-SHA-256), vericrypt does both, and std " +
    "neither.",
    "The anchor says which state of the volume is the present one. Beside the " +
    "image, it shows if a part of the volume was put back to what it was " +
    "before; on storage that the host of the image cannot write, it shows if " +
    "all of it was. Every command that opens the volume then needs --anchor " +
    "PATH. Without any, commits are faster, and nothing of it is noticed.",
    ...UNLOCK_NOTES,
  ],
  example: "nextfs init -s 1G --keyfile vault.key vault",
  async run(settings, [path]): Promise<void> {
    if (settings.device === "std") refuseKeyed(settings);
    if (settings.from === undefined && settings.size === undefined) {
      throw new UsageError("An empty volume needs a size: --size 1G");
    }
    checkPlace(path);
    if (settings.from === undefined) {
      await withSecret(path, settings, (make) => make(NOTHING));
      return;
    }
    const root = walkHostTree(settings.from, { follow: true });
    if (!isDirectory(root)) {
      throw new PathError(settings.from, "Not a directory");
    }
    await initFromTree(path, settings, root);
  },
});

/** Refuses what only a volume with a key has. */
function refuseKeyed(settings: InitSettings): void {
  if (settings.anchor !== undefined) {
    throw new UsageError(
      "A volume with --device std has no anchor: without a key, nobody could " +
        "tell it from another",
    );
  }
  if (!isSecretNamed(settings) && settings.scryptn === undefined) return;
  throw new UsageError("A volume with --device std has no key");
}

/** Makes a volume of a tree of the host that has been walked. */
export async function initFromTree(
  path: string,
  settings: InitSettings,
  root: HostNode,
): Promise<void> {
  const options = { ...sizeSettings(settings), reproducible: false };
  await withSecret(
    path,
    settings,
    (make) => makeOfTree(root, options, make),
  );
}

function sizeSettings(settings: InitSettings): SizeSettings {
  return { blockSize: settings["block-size"], size: settings.size };
}

/** Asks for the secret, and lets `visit` make the volume, again if need be. */
async function withSecret(
  path: string,
  settings: InitSettings,
  visit: (make: (contents: Contents) => Promise<void>) => Promise<void>,
): Promise<void> {
  if (settings.device === "std") {
    return await visit((contents) => make(path, settings, { contents }));
  }
  const prompt = `New passphrase of ${path}: `;
  const secret = await readSecret(settings, { prompt, confirm: true });
  try {
    const slot = { scrypt: scryptFor(secret, settings) };
    await visit((contents) => {
      const copy = { kind: secret.kind, bytes: secret.bytes.slice() };
      return make(path, settings, { contents, secret: copy, slot });
    });
  } finally {
    secret.bytes.fill(0);
  }
}

/** Where the anchor is to be. */
function anchorOf(
  { anchor }: InitSettings,
): Pick<CreateVolumeOptions, "anchor" | "anchorPath"> {
  if (anchor === undefined) return {};
  if (anchor === "none") return { anchor: "none" };
  return { anchor: "apart", anchorPath: anchor };
}

async function make(
  path: string,
  settings: InitSettings,
  { contents, ...key }:
    & { contents: Contents }
    & Pick<
      CreateVolumeOptions,
      "secret" | "slot"
    >,
): Promise<void> {
  const format = { label: settings.label };
  const size = sizeSettings(settings);
  const { blockCount, inodeCount } = planFor(contents, size, format);
  // From here to the end, a signal leaves nothing behind.
  using progress = new Progress(contents.bytes, "init");
  try {
    await createVolume(path, {
      device: settings.device,
      blockSize: size.blockSize,
      blockCount,
      ...key,
      ...anchorOf(settings),
      journalSize: settings["journal-size"],
      fill: async (volume) => {
        await makeFilesystem(
          volume.device,
          { ...format, inodeCount },
          (files) => contents.fill(files, progress),
        );
        await progress.rest();
      },
    });
  } catch (error) {
    throw explainFull(error, path, size);
  }
}
