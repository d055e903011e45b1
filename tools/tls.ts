/**
 * The flags of TLS, for servers and for clients, and the files they name.
 *
 * @module
 */

import {
  checkTlsOptions,
  type TlsOptions,
  TlsOptionsError,
} from "../rpc/mod.ts";
import { type Flag, option, text, type Values } from "./cli.ts";
import { errorText, UsageError } from "./errors.ts";
import { readBounded } from "./read_bounded.ts";

/** The flag of a file. */
type FileFlag = Flag<string | undefined>;

/** The flags of `serve`: all three or none. */
export const TLS_SERVER_FLAGS: Readonly<
  Record<"tls-cert" | "tls-key" | "client-ca", FileFlag>
> = {
  "tls-cert": option("FILE", "Certificate of the server (PEM): use TLS", text),
  "tls-key": option("FILE", "Private key of the certificate (PEM)", text),
  "client-ca": option("FILE", "CA that clients' certificates are from", text),
};

/** The flags of a command that connects: all three or none. */
export const TLS_CLIENT_FLAGS: Readonly<
  Record<"tls-cert" | "tls-key" | "ca", FileFlag>
> = {
  "tls-cert": option("FILE", "Certificate to show (PEM): use TLS", text),
  "tls-key": option("FILE", "Private key of the certificate (PEM)", text),
  "ca": option("FILE", "CA that the server's certificate is from", text),
};

/** The files of the three options, by the flags that name them. */
type Files = readonly [flag: string, option: keyof TlsOptions, path?: string][];

/**
 * Reads what `serve` needs for TLS; undefined if no flag of it is given.
 * Throws {@link UsageError} if only some are, and an error that names the file
 * which cannot be used.
 */
export function readServerTls(
  values: Values<typeof TLS_SERVER_FLAGS>,
): TlsOptions | undefined {
  return readFiles([
    ["tls-cert", "cert", values["tls-cert"]],
    ["tls-key", "key", values["tls-key"]],
    ["client-ca", "ca", values["client-ca"]],
  ]);
}

/** Reads what a client needs for TLS, like {@link readServerTls}. */
export function readClientTls(
  values: Values<typeof TLS_CLIENT_FLAGS>,
): TlsOptions | undefined {
  return readFiles([
    ["tls-cert", "cert", values["tls-cert"]],
    ["tls-key", "key", values["tls-key"]],
    ["ca", "ca", values.ca],
  ]);
}

function readFiles(files: Files): TlsOptions | undefined {
  const missing = files.filter(([, , path]) => path === undefined);
  if (missing.length === files.length) return undefined;
  if (missing.length > 0) {
    const names = missing.map(([flag]) => `--${flag}`).join(" and ");
    throw new UsageError(`TLS needs ${names} too`);
  }
  const options = { ca: "", cert: "", key: "" };
  for (const [flag, option, path] of files) {
    try {
      options[option] = readPem(path!);
    } catch (error) {
      throw unusable(flag, path, error);
    }
  }
  try {
    checkTlsOptions(options);
  } catch (error) {
    if (!(error instanceof TlsOptionsError)) throw error;
    const [flag, , path] = files.find(([, name]) => name === error.option)!;
    throw unusable(flag, path, error.reason);
  }
  return options;
}

/** The most that certificates and keys may take, in bytes. */
const PEM_MAX = 1 << 20;

function readPem(path: string): string {
  // Not readTextFile(): what a wrong path leads to may have no end.
  using file = Deno.openSync(path);
  const bytes = readBounded((into) => file.readSync(into), PEM_MAX + 1);
  if (bytes.length > PEM_MAX) throw new Error(`longer than ${PEM_MAX} bytes`);
  return new TextDecoder().decode(bytes);
}

function unusable(flag: string, path = "", reason: unknown): Error {
  const why = typeof reason === "string" ? reason : errorText(reason);
  return new Error(`--${flag} ${path}: ${why}`);
}
