/**
 * Where the passphrase or the key file of a volume of ours comes from.
 *
 * @module
 */

import {
  calibrateScrypt,
  KEY_FILE_BYTES_MIN,
  SCRYPT_N_MAX,
  SCRYPT_N_MIN,
  type ScryptParameters,
  type Secret,
  usualScrypt,
} from "../bd/volume/mod.ts";
import {
  type Flag,
  integer,
  list,
  option,
  path,
  text,
  type Values,
} from "./cli.ts";
import { errorText, UsageError } from "./errors.ts";
import { PASSPHRASE_BYTES_MAX, promptSecret } from "./prompt.ts";
import { readBounded, withoutNewline } from "./read_bounded.ts";

/** The variable that names a file with the passphrase. */
const PASSFILE_VARIABLE = "NEXTFS_PASSFILE";
/** Largest key file, in bytes. */
const KEY_FILE_BYTES_MAX = PASSPHRASE_BYTES_MAX;
/** Bytes that are read of either: one more, and a newline. */
const READ_MAX = PASSPHRASE_BYTES_MAX + 2;
const STDIN = "-";

/** The flags of commands that open a volume. */
export const UNLOCK = {
  keyfile: option("PATH", "File whose bytes open the volume", path),
  passfile: option(
    "PATH",
    "File that holds the passphrase; - is the standard input",
    path,
  ),
  extpass: list(
    "WORD",
    "Program that prints the passphrase; given again: its arguments",
    text,
  ),
};

/** The flag that says where a volume's anchor is. */
export const ANCHOR: { anchor: Flag<string | undefined> } = {
  anchor: option(
    "PATH",
    "The anchor of a volume that has it apart from its other files",
    path,
  ),
};

/** The flags of commands that set another passphrase or key file. */
export const NEW_SECRET = {
  "new-keyfile": option("PATH", "The same, for what is new", path),
  "new-passfile": option("PATH", "The same, for what is new", path),
  "new-extpass": list("WORD", "The same, for what is new", text),
};

/** The flag that says how hard a passphrase is to guess. */
export const SCRYPT_COST: { scryptn: Flag<number | undefined> } = {
  scryptn: option(
    "LOG2",
    "Cost of a new passphrase, from 10 to 20 (default: about a second)",
    integer(Math.log2(SCRYPT_N_MIN), Math.log2(SCRYPT_N_MAX)),
  ),
};

/** What there is to say about secrets, for the help. */
export const UNLOCK_NOTES: string[] = [
  "The passphrase comes from --passfile, from --extpass, from the file that " +
  `${PASSFILE_VARIABLE} names, or from a prompt; one newline at its end is ` +
  "left out. A key file is taken as it is, and has 32 random bytes or more: " +
  "'head -c 32 /dev/urandom > PATH' makes one.",
  "--extpass is given once for the program, and again for each argument: " +
  "--extpass pass --extpass show --extpass vault. No shell reads it.",
];

/** Places that a secret may come from, of which at most one is named. */
interface Sources {
  keyfile?: string;
  passfile?: string;
  extpass: string[];
}

/** How a secret is asked for. */
export interface ReadSecretOptions {
  /** What a prompt asks, as in `Passphrase of vault: `. */
  prompt: string;
  /** Ask twice, since it is a new one. */
  confirm?: boolean;
}

/**
 * Reads what opens a volume from where `values` say; its bytes are the
 * caller's to overwrite. Throws {@link UsageError} if they name several
 * places, if what is there is no secret, and if nothing is said and nobody can
 * be asked.
 */
export async function readSecret(
  values: Values<typeof UNLOCK>,
  options: ReadSecretOptions,
): Promise<Secret> {
  checkSources(values, "--");
  const sources: Sources = { ...values };
  if (!isNamed(sources)) {
    // A flag counts more than what is set for all commands.
    sources.passfile = Deno.env.get(PASSFILE_VARIABLE) || undefined;
  }
  return await read(sources, options);
}

/** Reads what is to open a volume from now on; see {@link readSecret}. */
export function readNewSecret(
  values: Values<typeof NEW_SECRET>,
  options: { prompt: string },
): Promise<Secret> {
  return read(newSources(values), { ...options, confirm: true });
}

/**
 * Throws {@link UsageError} if the flags of a command name several places for
 * one secret, or the standard input for two.
 */
export function checkSecretFlags(
  values: Values<typeof UNLOCK> & Values<typeof NEW_SECRET>,
): void {
  checkSources(values, "--");
  checkSources(newSources(values), "--new-");
  if (values.passfile === STDIN && values["new-passfile"] === STDIN) {
    throw new UsageError("Only one passphrase can be the standard input");
  }
}

/** Whether a flag says where the secret comes from. */
export function isSecretNamed(values: Values<typeof UNLOCK>): boolean {
  return isNamed(values);
}

/** What says where a secret comes from, for messages; null if nothing does. */
export function secretName(values: Values<typeof UNLOCK>): string | null {
  if (values.keyfile !== undefined) return "--keyfile";
  if (values.passfile !== undefined) return "--passfile";
  if (values.extpass.length > 0) return "--extpass";
  return Deno.env.get(PASSFILE_VARIABLE) ? PASSFILE_VARIABLE : null;
}

/** Parameters for a new passphrase of this cost; none for a key file. */
export function scryptFor(
  { kind }: Secret,
  { scryptn }: Values<typeof SCRYPT_COST>,
): ScryptParameters | undefined {
  if (kind === "keyfile") return undefined;
  return scryptn === undefined ? calibrateScrypt() : usualScrypt(2 ** scryptn);
}

function newSources(values: Values<typeof NEW_SECRET>): Sources {
  return {
    keyfile: values["new-keyfile"],
    passfile: values["new-passfile"],
    extpass: values["new-extpass"],
  };
}

function isNamed({ keyfile, passfile, extpass }: Sources): boolean {
  return keyfile !== undefined || passfile !== undefined || extpass.length > 0;
}

function checkSources(sources: Sources, prefix: string): void {
  const { keyfile, passfile, extpass } = sources;
  const named = { keyfile, passfile, extpass: extpass[0] };
  const given = Object.entries(named)
    .flatMap(([name, value]) => value === undefined ? [] : [prefix + name]);
  if (given.length < 2) return;
  throw new UsageError(
    `${given.join(" and ")} exclude each other: give one of them`,
  );
}

async function read(
  sources: Sources,
  options: ReadSecretOptions,
): Promise<Secret> {
  const { keyfile, passfile, extpass } = sources;
  if (keyfile !== undefined) return readKeyFile(keyfile);
  let bytes: Uint8Array;
  let where = "the passphrase";
  if (passfile !== undefined) {
    where = passfile === STDIN ? "the standard input" : passfile;
    bytes = readPlace(passfile, where);
  } else if (extpass.length > 0) {
    where = extpass[0];
    bytes = await runProgram(extpass);
  } else bytes = await ask(options);
  return { kind: "passphrase", bytes: checkPassphrase(bytes, where) };
}

function readKeyFile(path: string): Secret {
  const bytes = readPlace(path, path);
  if (bytes.length < KEY_FILE_BYTES_MIN || bytes.length > KEY_FILE_BYTES_MAX) {
    bytes.fill(0);
    throw new UsageError(
      `${path}: a key file has ${KEY_FILE_BYTES_MIN} to ${KEY_FILE_BYTES_MAX} ` +
        "bytes, all of them random",
    );
  }
  return { kind: "keyfile", bytes };
}

/** Without one newline at its end; neither empty nor too long. */
function checkPassphrase(bytes: Uint8Array, where: string): Uint8Array {
  const passphrase = withoutNewline(bytes);
  if (passphrase.length === 0) throw new UsageError(`${where}: it is empty`);
  if (passphrase.length <= PASSPHRASE_BYTES_MAX) return passphrase;
  passphrase.fill(0);
  throw new UsageError(
    `${where}: longer than ${PASSPHRASE_BYTES_MAX} bytes`,
  );
}

/** The bytes at `path`, or more than may be if there are too many. */
function readPlace(path: string, where: string): Uint8Array {
  try {
    if (path === STDIN) {
      return readBounded((into) => Deno.stdin.readSync(into), READ_MAX);
    }
    using file = Deno.openSync(path);
    return readBounded((into) => file.readSync(into), READ_MAX);
  } catch (error) {
    throw new UsageError(`${where}: ${errorText(error)}`);
  }
}

/** What a program prints. Its other streams are this process's own. */
async function runProgram([program, ...args]: string[]): Promise<Uint8Array> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, {
      args,
      stdin: "inherit",
      stdout: "piped",
      stderr: "inherit",
    }).output();
  } catch (error) {
    // The runtime's own text for this one is that of its parts.
    const reason = error instanceof Deno.errors.NotFound
      ? "No such program"
      : errorText(error);
    throw new UsageError(`${program}: ${reason}`);
  }
  if (output.success) return output.stdout;
  output.stdout.fill(0);
  throw new UsageError(
    `${program}: it gave no passphrase, and ended with code ${output.code}`,
  );
}

async function ask(
  { prompt, confirm }: ReadSecretOptions,
): Promise<Uint8Array> {
  if (!Deno.stdin.isTerminal()) {
    throw new UsageError(
      "No passphrase, and nobody to ask: give --keyfile, --passfile, " +
        `--extpass or ${PASSFILE_VARIABLE}`,
    );
  }
  const bytes = await promptSecret(prompt);
  if (!confirm || bytes.length === 0) return bytes;
  const again = await promptSecret("The same again: ");
  const isSame = bytes.length === again.length &&
    bytes.every((byte, i) => byte === again[i]);
  again.fill(0);
  if (isSame) return bytes;
  bytes.fill(0);
  throw new UsageError("The two passphrases differ: nothing was done");
}
