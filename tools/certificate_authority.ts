/**
 * A small private certificate authority in a directory.
 *
 * Certificates are made by the openssl command: whoever runs servers has it,
 * and knows where to look when something about a certificate is doubtful. A
 * library for the same (@peculiar/x509) would put more than a dozen packages
 * into a program that holds keys.
 *
 * Invariants: what is in the directory is never overwritten; a key leaves it
 * only by its owner's hand (directory 0700, keys 0600); a certificate is there
 * only if its key was there before it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { checkTlsOptions } from "../rpc/mod.ts";
import { errorText, PathError } from "./errors.ts";
import { readBounded } from "./read_bounded.ts";
import type { Signals } from "./signals.ts";

/** The authority is valid for some days more than anything it certifies. */
const CA_DAYS = 3660;

/** The name of the authority's files. */
export const CA = "ca";

/** The name of the server's files. */
export const SERVER = "server";

/** The most that is read of a certificate or a key, in bytes. */
const PEM_MAX = 64 * 1024;

const DAY_MS = 24 * 60 * 60 * 1000;

/** What a certificate is for. */
export type Purpose = "server" | "client";

/** What is to be certified. */
export interface CertificateRequest {
  /** Name of the files, without the ending, and of the subject (CN). */
  readonly name: string;
  /** What it is for. */
  readonly purpose: Purpose;
  /** Names and addresses of a server. */
  readonly hosts: readonly string[];
  /** Days from now on that it is valid. */
  readonly days: number;
}

/**
 * What openssl reads besides the command line. A certificate says what its key
 * is for (RFC 5280, section 4.2.1): to sign certificates and lists of revoked
 * ones, or to sign the handshakes of one side of TLS.
 */
function configuration(subject: string, hosts: readonly string[]): string {
  const names = hosts.map((host) => `${isIP(host) ? "IP" : "DNS"}:${host}`);
  return [
    ...["[req]", "prompt=no", "distinguished_name=subject"],
    ...["string_mask=utf8only", "[subject]", `CN=${subject}`],
    ...["[ca]", "basicConstraints=critical,CA:TRUE,pathlen:0"],
    ...["keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash"],
    ...["[client]", ...END_ENTITY, "extendedKeyUsage=clientAuth"],
    ...["[server]", ...END_ENTITY, "extendedKeyUsage=serverAuth"],
    ...(names.length > 0 ? [`subjectAltName=${names.join(",")}`] : []),
    "",
  ].join("\n");
}

const END_ENTITY = [
  "basicConstraints=critical,CA:FALSE",
  "keyUsage=critical,digitalSignature",
  "subjectKeyIdentifier=hash",
  "authorityKeyIdentifier=keyid",
];

/** An EC key on P-256, which the runtime and every browser can use. */
const NEW_KEY = [
  ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
];

/** See the module. */
export class CertificateAuthority {
  readonly #dir: string;
  readonly #signals: Signals;

  /** Stands on the directory `dir`, which {@link prepare} makes. */
  constructor(dir: string, signals: Signals) {
    this.#dir = dir;
    this.#signals = signals;
  }

  /** Where a certificate is. */
  certPath(name: string): string {
    return `${this.#dir}/${name}.pem`;
  }

  /** Where a certificate's key is. */
  keyPath(name: string): string {
    return `${this.#dir}/${name}.key`;
  }

  /** Whether there is a certificate or a key of this name. */
  has(name: string): boolean {
    return [this.certPath(name), this.keyPath(name)].some(exists);
  }

  /** Throws {@link PathError} for a name that has files already. */
  checkIsNew(name: string): void {
    if (!this.has(name)) return;
    throw new PathError(
      this.certPath(name),
      `It, or its key, is there already: to make another, remove ${name}.pem ` +
        `and ${name}.key`,
    );
  }

  /** The names of all certificates: the authority, the server, the clients. */
  names(): string[] {
    const clients: string[] = [];
    for (const { name } of Deno.readDirSync(this.#dir)) {
      const [, client] = /^(.+)\.pem$/.exec(name) ?? [];
      if (client && client !== CA && client !== SERVER) clients.push(client);
    }
    return [CA, SERVER, ...clients.sort()];
  }

  /** The certificate of this name. Throws {@link PathError}. */
  read(name: string): X509Certificate {
    const path = this.certPath(name);
    try {
      return new X509Certificate(Buffer.from(readFile(path)));
    } catch (error) {
      throw new PathError(path, error);
    }
  }

  /**
   * Makes the directory; one that is there must be its owner's alone. Throws
   * {@link PathError}.
   */
  prepare(): void {
    const dir = this.#dir;
    try {
      Deno.mkdirSync(dir, { mode: 0o700 });
      return;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) {
        throw new PathError(dir, error);
      }
    }
    const { isDirectory, mode } = Deno.statSync(dir);
    if (!isDirectory) throw new PathError(dir, "Is not a directory");
    if (mode !== null && (mode & 0o077) !== 0) {
      throw new PathError(
        dir,
        "Others may look into it, and keys will be in it: take that from " +
          "them (chmod 700), or choose another directory",
      );
    }
  }

  /** Makes the authority's own certificate. */
  async found(): Promise<void> {
    const serial = crypto.getRandomValues(new Uint8Array(4));
    const subject = `nextfs CA ${serial.toHex()}`;
    await this.#make(CA, async (work) => {
      Deno.writeTextFileSync(work.config, configuration(subject, []));
      await this.#openssl("req", "-x509", ...NEW_KEY, ...[
        ...["-config", work.config, "-extensions", "ca", "-sha256"],
        ...["-days", String(CA_DAYS), "-set_serial", serialNumber()],
        ...["-keyout", work.key, "-out", work.cert],
      ]);
    });
  }

  /**
   * Makes a certificate. Throws {@link PathError} if the authority's key is
   * not there, or if it would outlast the authority's own certificate.
   */
  async issue(request: CertificateRequest): Promise<void> {
    const { name, purpose, hosts, days } = request;
    this.#checkAuthority(days);
    await this.#make(name, async (work) => {
      Deno.writeTextFileSync(work.config, configuration(name, hosts));
      await this.#openssl("req", "-new", ...NEW_KEY, ...[
        ...["-config", work.config, "-keyout", work.key, "-out", work.request],
      ]);
      await this.#openssl("x509", "-req", "-in", work.request, ...[
        ...["-CA", this.certPath(CA), "-CAkey", this.keyPath(CA)],
        ...["-extfile", work.config, "-extensions", purpose, "-sha256"],
        ...["-days", String(days), "-set_serial", serialNumber()],
        ...["-out", work.cert],
      ]);
      const text = (path: string): string =>
        new TextDecoder().decode(readFile(path));
      checkTlsOptions({
        ca: text(this.certPath(CA)),
        cert: text(work.cert),
        key: text(work.key),
      });
    });
  }

  #checkAuthority(days: number): void {
    const left = Date.parse(this.read(CA).validTo) - Date.now();
    if (!exists(this.keyPath(CA))) {
      throw new PathError(
        this.keyPath(CA),
        "It is not there, and no certificate can be made without it",
      );
    }
    if (left >= days * DAY_MS) return;
    const most = Math.floor(left / DAY_MS);
    throw new PathError(
      this.certPath(CA),
      most > 0
        ? `It is valid for ${most} days only: give --days ${most} or less`
        : "It has expired: make another authority, in another directory",
    );
  }

  /** Lets `make` work beside the directory's files, and takes what it made. */
  async #make(
    name: string,
    make: (work: WorkFiles) => Promise<void>,
  ): Promise<void> {
    const dir = Deno.makeTempDirSync({ dir: this.#dir, prefix: ".new-" });
    const work = {
      ...{ config: `${dir}/config`, request: `${dir}/request` },
      ...{ cert: `${dir}/cert`, key: `${dir}/key` },
    };
    try {
      await make(work);
      writeNew(this.keyPath(name), readFile(work.key));
      try {
        writeNew(this.certPath(name), readFile(work.cert));
      } catch (error) {
        Deno.removeSync(this.keyPath(name));
        throw error;
      }
    } finally {
      Deno.removeSync(dir, { recursive: true });
    }
  }

  async #openssl(...args: string[]): Promise<void> {
    const { success, stderr } = await runOpenssl(args);
    if (this.#signals.received) await this.#signals.interrupted;
    if (success) return;
    const lines = new TextDecoder().decode(stderr).trim().split("\n");
    // There may be dots of its progress before.
    const reason = lines.find((line) => /[a-z]/i.test(line)) ?? "";
    throw new Error(`openssl ${args[0]} failed: ${reason.slice(0, 200)}`);
  }
}

async function runOpenssl(args: string[]): Promise<Deno.CommandOutput> {
  const command = new Deno.Command("openssl", {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  });
  try {
    return await command.output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(
      "The openssl command is not there, which makes the certificates: " +
        "install it (on Debian: apt install openssl)",
    );
  }
}

/** The files that openssl reads and writes. */
interface WorkFiles {
  readonly config: string;
  readonly request: string;
  readonly cert: string;
  readonly key: string;
}

/** A positive number of 127 random bits: RFC 5280, section 4.1.2.2. */
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[0] = bytes[0] & 0x7f | 0x40;
  return `0x${bytes.toHex()}`;
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new PathError(path, error);
  }
}

function readFile(path: string): Uint8Array {
  using file = Deno.openSync(path);
  return readBounded((into) => file.readSync(into), PEM_MAX);
}

/** Writes a new file that its owner alone may read. */
function writeNew(path: string, bytes: Uint8Array): void {
  try {
    Deno.writeFileSync(path, bytes, { createNew: true, mode: 0o600 });
  } catch (error) {
    throw new PathError(path, errorText(error));
  }
}
