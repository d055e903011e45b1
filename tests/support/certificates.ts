/**
 * Certificates for tests of TLS, made by the openssl command.
 *
 * @module
 */

import type { TlsOptions } from "../../rpc/mod.ts";
import { must } from "./tools.ts";

/** A certificate and its key, as PEM texts and as files. */
export interface Identity {
  /** The certificate. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
  /** The certificate's file. */
  readonly certPath: string;
  /** The key's file. */
  readonly keyPath: string;
}

/** Two authorities, and whom they know. */
export interface Certificates {
  /** The authority whose certificates are good. */
  readonly ca: Identity;
  /** One that nobody trusts. */
  readonly otherCa: Identity;
  /** A server: localhost, nextfs.test and 127.0.0.1. */
  readonly server: Identity;
  /** A client. */
  readonly client: Identity;
  /** A client whose certificate has expired. */
  readonly expired: Identity;
  /** A client of the other authority. */
  readonly stranger: Identity;
}

const NAMES = "subjectAltName=DNS:localhost,DNS:nextfs.test,IP:127.0.0.1\n";

let made: Promise<Certificates> | undefined;

/** Makes them once; their files go when the tests end. */
export function certificates(): Promise<Certificates> {
  return made ??= make();
}

/** What a server of the good authority needs. */
export async function serverTls(): Promise<TlsOptions> {
  const { ca, server } = await certificates();
  return { ca: ca.cert, cert: server.cert, key: server.key };
}

/** What a client of the good authority needs. */
export async function clientTls(): Promise<TlsOptions> {
  const { ca, client } = await certificates();
  return { ca: ca.cert, cert: client.cert, key: client.key };
}

async function make(): Promise<Certificates> {
  const dir = await Deno.makeTempDir({ prefix: "nextfs-tls-" });
  globalThis.addEventListener("unload", () => {
    Deno.removeSync(dir, { recursive: true });
  });
  const forServers = `${dir}/server.ext`;
  const forClients = `${dir}/client.ext`;
  await Deno.writeTextFile(
    forServers,
    `${NAMES}extendedKeyUsage=serverAuth\n`,
  );
  await Deno.writeTextFile(forClients, "extendedKeyUsage=clientAuth\n");
  const ca = await authority(dir, "ca");
  const otherCa = await authority(dir, "other-ca");
  const client = ["-days", "30", "-extfile", forClients];
  return {
    ca,
    otherCa,
    server: await issue(dir, "server", ca, [
      ...["-days", "30", "-extfile", forServers],
    ]),
    client: await issue(dir, "client", ca, client),
    expired: await issue(dir, "expired", ca, [
      ...["-days", "-1", "-extfile", forClients],
    ]),
    stranger: await issue(dir, "stranger", otherCa, client),
  };
}

const EC_KEY = [
  ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
];

async function authority(dir: string, name: string): Promise<Identity> {
  const paths = pathsOf(dir, name);
  await must("openssl", "req", "-x509", ...EC_KEY, "-days", "30", ...[
    ...["-subj", `/CN=${name}`, "-keyout", paths.keyPath],
    ...["-out", paths.certPath],
  ]);
  return await read(paths);
}

async function issue(
  dir: string,
  name: string,
  by: Identity,
  options: string[],
): Promise<Identity> {
  const paths = pathsOf(dir, name);
  const request = `${dir}/${name}.csr`;
  await must("openssl", "req", ...EC_KEY, "-subj", `/CN=${name}`, ...[
    ...["-keyout", paths.keyPath, "-out", request],
  ]);
  await must("openssl", "x509", "-req", "-in", request, ...[
    ...["-CA", by.certPath, "-CAkey", by.keyPath, "-CAcreateserial"],
    ...["-out", paths.certPath, ...options],
  ]);
  return await read(paths);
}

type Paths = Pick<Identity, "certPath" | "keyPath">;

function pathsOf(dir: string, name: string): Paths {
  return { certPath: `${dir}/${name}.pem`, keyPath: `${dir}/${name}.key` };
}

async function read(paths: Paths): Promise<Identity> {
  return {
    ...paths,
    cert: await Deno.readTextFile(paths.certPath),
    key: await Deno.readTextFile(paths.keyPath),
  };
}
