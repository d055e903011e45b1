/**
 * `nextfs passwd`: another passphrase or key file in place of the present one.
 *
 * @module
 */

import { KeyChange } from "../bd/volume/mod.ts";
import { type Command, command } from "./cli.ts";
import {
  ANCHOR,
  checkSecretFlags,
  NEW_SECRET,
  readNewSecret,
  readSecret,
  SCRYPT_COST,
  scryptFor,
  UNLOCK,
  UNLOCK_NOTES,
} from "./unlock.ts";

/** The command. */
export const passwd: Command = command({
  name: "passwd",
  summary: "Change the passphrase or key file that opens a volume",
  operands: "VOLUME",
  least: 1,
  most: 1,
  flags: { ...UNLOCK, ...ANCHOR, ...NEW_SECRET, ...SCRYPT_COST },
  notes: [
    "The key slot that the present one opens is replaced; others stay. The " +
    "master key stays, too: whoever has copied it, or an old copy of " +
    "volume.json and its passphrase, can still read the blocks. 'nextfs " +
    "rekey' makes a new one.",
    ...UNLOCK_NOTES,
  ],
  example: "nextfs passwd --keyfile old.key --new-keyfile new.key vault",
  async run(values, [path]): Promise<void> {
    checkSecretFlags(values);
    const prompt = `Passphrase of ${path}: `;
    using keys = await KeyChange.open(
      path,
      () => readSecret(values, { prompt }),
      { anchorPath: values.anchor },
    );
    const secret = await readNewSecret(values, {
      prompt: `New passphrase of ${path}: `,
    });
    await keys.replace(secret, { scrypt: scryptFor(secret, values) });
  },
});
