/**
 * `nextfs key`: the key slots of a volume.
 *
 * @module
 */

import { inspectVolume, KeyChange, type KeySlot } from "../bd/volume/mod.ts";
import {
  type Command,
  command,
  integer,
  option,
  text,
  type Values,
} from "./cli.ts";
import { UsageError } from "./errors.ts";
import { printable } from "./names.ts";
import { Output } from "./output.ts";
import {
  ANCHOR,
  checkSecretFlags,
  isSecretNamed,
  NEW_SECRET,
  readNewSecret,
  readSecret,
  SCRYPT_COST,
  scryptFor,
  UNLOCK,
  UNLOCK_NOTES,
} from "./unlock.ts";

const flags = {
  ...UNLOCK,
  ...ANCHOR,
  ...NEW_SECRET,
  "key-label": option("TEXT", "What to call what is added", text),
  ...SCRYPT_COST,
};

type KeyValues = Values<typeof flags>;

/** The command. */
export const key: Command = command({
  name: "key",
  summary: "List, add and remove what opens a volume",
  operands: "list|add|remove VOLUME [ID]",
  least: 2,
  most: 3,
  flags,
  notes: [
    "A volume has up to 16 key slots, and each of them opens it: a passphrase " +
    "or a key file. 'list' shows them; it asks for nothing, but only with a " +
    "passphrase or key file can it tell whether somebody has changed them. " +
    "'add' needs one that opens the volume, and a new one. 'remove' needs one " +
    "that opens it, and leaves the last slot alone.",
    ...UNLOCK_NOTES,
  ],
  example: "nextfs key add --keyfile vault.key --new-keyfile spare.key vault",
  async run(values, [action, path, id]): Promise<void> {
    checkSecretFlags(values);
    checkAction(values, action, id);
    if (action === "list") return await listSlots(path, values);
    const prompt = `Passphrase of ${path}: `;
    using keys = await KeyChange.open(
      path,
      () => readSecret(values, { prompt }),
      { anchorPath: values.anchor },
    );
    if (action === "add") await addSlot(keys, path, values);
    else await keys.remove(slotNumber(id));
  },
});

/** Refuses flags and operands that the action has no use for. */
function checkAction(values: KeyValues, action: string, id?: string): void {
  if (!["list", "add", "remove"].includes(action)) {
    throw new UsageError(`'${action}' is not one of list, add, remove`);
  }
  if ((action === "remove") !== (id !== undefined)) {
    throw new UsageError(
      action === "remove"
        ? "Which slot? usage: nextfs key remove VOLUME ID"
        : `Unexpected operand '${id}'; usage: nextfs key ${action} VOLUME`,
    );
  }
  if (action === "remove") slotNumber(id!);
  if (action === "add") return;
  const { "key-label": label, scryptn } = values;
  const isNew = label !== undefined || scryptn !== undefined ||
    values["new-keyfile"] !== undefined ||
    values["new-passfile"] !== undefined || values["new-extpass"].length > 0;
  if (isNew) {
    throw new UsageError(`'key ${action}' adds nothing: leave out --new-…`);
  }
}

function slotNumber(id: string): number {
  try {
    return integer(0, 15)(id);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

async function addSlot(
  keys: KeyChange,
  path: string,
  values: KeyValues,
): Promise<void> {
  const prompt = `New passphrase of ${path}: `;
  const secret = await readNewSecret(values, { prompt });
  const { id } = await keys.add(secret, {
    label: values["key-label"],
    scrypt: scryptFor(secret, values),
  });
  const output = new Output();
  output.line(`Added key slot ${id}`);
  output.flush();
}

async function listSlots(path: string, values: KeyValues): Promise<void> {
  const prompt = `Passphrase of ${path}: `;
  const { slots, isAuthentic } = await inspectVolume(
    path,
    isSecretNamed(values)
      ? (): ReturnType<typeof readSecret> => readSecret(values, { prompt })
      : undefined,
    { anchorPath: values.anchor },
  );
  const output = new Output();
  for (const slot of slots) output.line(slotText(slot));
  if (slots.length === 0) output.line("No key slots: its device is std");
  else if (!isAuthentic) {
    output.line("Not verified: give --keyfile, --passfile or --extpass");
  }
  output.flush();
}

/** One line about a slot. */
export function slotText(slot: KeySlot): string {
  const { id, kind, created, label, scrypt } = slot;
  const cost = scrypt
    ? `, scrypt n=${scrypt.n} r=${scrypt.r} p=${scrypt.p}`
    : "";
  const name = label === undefined ? "" : `, ${printable(label)}`;
  return `${String(id).padStart(2)}: ${kind}, made ${created}${cost}${name}`;
}
