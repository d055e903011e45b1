/**
 * `nextfs info`: everything about a volume but secrets.
 *
 * @module
 */

import {
  type AnchorPlace,
  anchorPlace,
  type FileSizes,
  hasKey,
  inspectVolume,
  isEncrypted,
  type KeySlot,
  type VolumeInfo,
} from "../bd/volume/mod.ts";
import { type Command, command, toggle } from "./cli.ts";
import { slotText } from "./key.ts";
import { Output } from "./output.ts";
import { humanSize } from "./sizes.ts";
import {
  ANCHOR,
  isSecretNamed,
  readSecret,
  UNLOCK,
  UNLOCK_NOTES,
} from "./unlock.ts";

const ANCHOR_TEXT: Record<AnchorPlace, string> = {
  beside: "beside the image",
  apart: "apart, where --anchor PATH says",
  none: "none: the end of the journal is the present state",
};

const REKEY_TEXT: Record<VolumeInfo["rekey"], string> = {
  none: "none begun",
  begun: "begun; 'nextfs rekey' goes on with it",
  committed: "made; the next command that opens the volume completes it",
};

/** The command. */
export const info: Command = command({
  name: "info",
  summary: "Show what a volume is",
  operands: "VOLUME",
  least: 1,
  most: 1,
  flags: { json: toggle("JSON, sizes in bytes"), ...UNLOCK, ...ANCHOR },
  notes: [
    "It may be open elsewhere. Nothing is asked for; but what is shown is " +
    "what the host says, unless --keyfile, --passfile or --extpass is given: " +
    "then it is verified.",
    ...UNLOCK_NOTES,
  ],
  example: "nextfs info --keyfile vault.key vault",
  async run(values, [path]): Promise<void> {
    const prompt = `Passphrase of ${path}: `;
    const found = await inspectVolume(
      path,
      isSecretNamed(values) ? () => readSecret(values, { prompt }) : undefined,
      { anchorPath: values.anchor },
    );
    const output = new Output();
    if (values.json) output.json(infoJson(path, found));
    else for (const line of infoLines(path, found)) output.line(line);
    output.flush();
  },
});

function infoLines(path: string, found: VolumeInfo): string[] {
  const { descriptor, anchor, slots, files } = found;
  const { id, device, blockSize, blockCount } = descriptor;
  const rows: [string, string][] = [
    ["Volume", path],
    ["Id", id],
    ["Device", `${device} (${ingredients(found)})`],
    [
      "Size",
      `${humanSize(blockCount * blockSize)}, ${blockCount} blocks of ` +
      `${blockSize} bytes`,
    ],
    ["Verified", verifiedText(found)],
  ];
  if (hasKey(descriptor)) {
    rows.push(["Anchor", ANCHOR_TEXT[anchorPlace(descriptor)]]);
  }
  if (descriptor.journalSize === undefined) {
    rows.push(["Journal", "none: 'nextfs rekey' gives it one"]);
  }
  if (anchor) {
    rows.push(
      ["Generation", String(anchor.generation)],
      ["Epoch", anchor.epoch.toHex()],
    );
    if ("tree" in files) rows.push(["Root", anchor.root.toHex()]);
  }
  for (const [name, sizes] of Object.entries(files)) {
    rows.push([`File ${name}`, sizesText(sizes)]);
  }
  for (const slot of slots) rows.push(["Key slot", slotText(slot).trim()]);
  if (slots.length > 0) rows.push(["Rekey", REKEY_TEXT[found.rekey]]);
  return rows.map(([name, value]) => `${`${name}:`.padEnd(14)}${value}`);
}

function verifiedText({ isAuthentic, anchor, slots }: VolumeInfo): string {
  if (isAuthentic && anchor) return "yes: descriptor and state are authentic";
  if (isAuthentic) {
    return "the descriptor is authentic; whether it is the present one, the " +
      "anchor says (give --anchor PATH)";
  }
  return slots.length > 0
    ? "no: this is what the host says (give --keyfile, --passfile or --extpass)"
    : "no: without a key there is nothing to verify by";
}

function ingredients({ descriptor, files }: VolumeInfo): string {
  const parts = [
    ...isEncrypted(descriptor) ? ["AES-256-XTS"] : [],
    ..."tree" in files ? ["a tree of HMAC-SHA-256"] : [],
  ];
  return parts.join(", ") || "plain";
}

function sizesText(sizes: FileSizes | null): string {
  if (!sizes) return "missing";
  return `${humanSize(sizes.size)}, of which ${humanSize(sizes.stored)} stored`;
}

function infoJson(path: string, found: VolumeInfo): unknown {
  const { descriptor, anchor, slots, isAuthentic, files, rekey } = found;
  const { nextfs, id, device, blockSize, blockCount } = descriptor;
  return {
    path,
    format: nextfs,
    id,
    device,
    cipher: isEncrypted(descriptor) ? "aes-256-xts" : null,
    hash: "tree" in files ? "hmac-sha256" : null,
    blockSize,
    blockCount,
    size: blockSize * blockCount,
    verified: isAuthentic,
    journalSize: descriptor.journalSize ?? null,
    anchorPlace: hasKey(descriptor) ? anchorPlace(descriptor) : null,
    anchor: anchor && {
      generation: anchor.generation,
      epoch: anchor.epoch.toHex(),
      leafCount: anchor.leafCount,
      root: anchor.root.toHex(),
    },
    files,
    keys: slots.map(slotJson),
    rekey,
  };
}

/** A slot without the bytes that only opening it needs. */
function slotJson({ salt: _, wrapped: __, ...slot }: KeySlot): unknown {
  return slot;
}
