/**
 * The end of making a volume: until then it has an anchor beside it which says
 * that it is unfinished, and no journal.
 *
 * @module
 */

import { createJournal } from "../journal/checkpoint.ts";
import type { VolumeState } from "../journal/state.ts";
import { HostFile } from "../std.ts";
import { uuidBytes } from "../uuid.ts";
import { openKeeper } from "./assemble.ts";
import {
  anchorPlace,
  type Descriptor,
  descriptorDigest,
  hasKey,
} from "./descriptor.ts";
import type { VolumeDirectory } from "./directory.ts";
import { syncDirectory } from "./files.ts";
import { recordFormat, type StateKeeper } from "./keeper.ts";
import { FILE_MODE, makeAnchor } from "./open_anchor.ts";
import type { Unlocked } from "./unlock.ts";

/** The first state of a volume, which is being made. */
export function firstState(descriptor: Descriptor): VolumeState {
  return {
    blockSize: descriptor.blockSize,
    id: uuidBytes(descriptor.id),
    epoch: crypto.getRandomValues(new Uint8Array(16)),
    generation: 1,
    leafCount: descriptor.blockCount,
    root: new Uint8Array(32),
    descriptor: hasKey(descriptor)
      ? descriptorDigest(descriptor)
      : new Uint8Array(32),
    nextDescriptor: new Uint8Array(32),
    unfinished: 1,
    chain: new Uint8Array(32),
  };
}

/**
 * Gives the volume in `directory` its journal, and makes its anchor say that
 * it is finished, where the anchor is to be. It may be cut short: what is left
 * then is unfinished.
 */
export async function finishVolume(
  directory: VolumeDirectory,
  what: { descriptor: Descriptor; unlocked: Unlocked | null },
  { anchorPath }: { anchorPath?: string } = {},
): Promise<void> {
  const { descriptor, unlocked } = what;
  const keeper = await openKeeper(directory, what, { copying: true });
  try {
    const before = keeper?.state ?? firstState(descriptor);
    const generation = before.generation + 1;
    const state = { ...before, generation, unfinished: 0 };
    await makeJournal(directory, what, state);
    if (unlocked && keeper) {
      const key = unlocked.keys.get("anchor");
      await placeAnchor({ descriptor, keeper, anchorPath }, { key, state });
    }
  } finally {
    keeper?.close();
  }
  if (unlocked && anchorPlace(descriptor) !== "beside") {
    Deno.removeSync(directory.pathOf("anchor"));
  }
  syncDirectory(directory.path);
}

async function makeJournal(
  directory: VolumeDirectory,
  { descriptor, unlocked }: {
    descriptor: Descriptor;
    unlocked: Unlocked | null;
  },
  state: VolumeState,
): Promise<void> {
  const file = HostFile.open(directory.pathOf("journal"), {
    create: descriptor.journalSize!,
    noLink: true,
    mode: FILE_MODE,
  });
  const format = recordFormat(descriptor, unlocked);
  try {
    await createJournal(file, format, state);
  } finally {
    format.mac.wipe();
    file.close();
  }
}

async function placeAnchor(
  { descriptor, keeper, anchorPath }: {
    descriptor: Descriptor;
    keeper: StateKeeper;
    anchorPath?: string;
  },
  { key, state }: { key: Uint8Array; state: VolumeState },
): Promise<void> {
  switch (anchorPlace(descriptor)) {
    case "beside":
      return await keeper.commit({ unfinished: 0 });
    case "apart": {
      const anchor = await makeAnchor(anchorPath!, key, state);
      return anchor.close();
    }
  }
}
