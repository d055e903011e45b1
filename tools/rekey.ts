/**
 * `nextfs rekey`: a new master key for a volume.
 *
 * @module
 */

import { inspectVolume, rekeyVolume } from "../bd/volume/mod.ts";
import { type Command, command, toggle } from "./cli.ts";
import { Progress } from "./progress.ts";
import { readSecret, UNLOCK, UNLOCK_NOTES } from "./unlock.ts";

/** The command. */
export const rekey: Command = command({
  name: "rekey",
  summary: "Encrypt a volume again, under a new master key",
  operands: "VOLUME",
  least: 1,
  most: 1,
  flags: {
    ...UNLOCK,
    "only-this-key": toggle("Give up all other key slots"),
  },
  notes: [
    "Every block in use is copied, in the directory of the volume, which " +
    "needs room for it. Nobody else may use the volume meanwhile. If it is " +
    "cut short, by a signal or by a crash, the volume is what it was, and the " +
    "same command goes on with it. To give it up, remove VOLUME/rekey.",
    "The passphrase or key file stays what it is; other key slots cannot be " +
    "carried over, since what opens them is not known.",
    "A volume that has its anchor apart cannot be rekeyed: the anchor would " +
    "have to be replaced at the same moment. Make a new volume, and copy.",
    ...UNLOCK_NOTES,
  ],
  example: "nextfs rekey --keyfile vault.key vault",
  async run(values, [path]): Promise<void> {
    const { files } = await inspectVolume(path);
    const prompt = `Passphrase of ${path}: `;
    // What it takes on the disk is about what there is to copy.
    using progress = new Progress(files.image?.stored ?? 0, "rekey");
    await rekeyVolume(path, {
      secret: () => readSecret(values, { prompt }),
      onlyThisKey: values["only-this-key"],
      log: (message) => progress.warn(message),
      progress: async (bytes) => {
        if (progress.add(bytes)) await progress.rest();
      },
    });
  },
});
