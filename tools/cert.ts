/**
 * `nextfs cert`: certificates for a quick start with TLS.
 *
 * @module
 */

import type { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { describeCertificate, formatFingerprint } from "../rpc/mod.ts";
import {
  CA,
  CertificateAuthority,
  type CertificateRequest,
  SERVER,
} from "./certificate_authority.ts";
import {
  type Command,
  command,
  integer,
  list,
  setting,
  type Values,
} from "./cli.ts";
import { printable } from "./names.ts";
import { Output } from "./output.ts";
import { Signals } from "./signals.ts";

/** What a server is called by programs on its own machine. */
const LOCAL_HOSTS = ["localhost", "127.0.0.1", "::1"];

/** Ten years: whoever needs longer should know what he does. */
const DAYS_MAX = 3650;

/** The client that is there after the first time. */
const FIRST_CLIENT = "client";

const flags = {
  host: list("NAME", "Name or address that the server is called by", host),
  client: list("NAME", "Make a certificate for this client", clientName),
  days: setting(
    "DAYS",
    "How long certificates are valid",
    integer(1, DAYS_MAX),
    {
      fallback: "365",
    },
  ),
};

type CertValues = Values<typeof flags>;

/** The command. */
export const cert: Command = command({
  name: "cert",
  summary: "Make a small private CA, and certificates for TLS",
  operands: "DIRECTORY",
  least: 1,
  most: 1,
  flags,
  notes: [
    "The first time it makes DIRECTORY (0700) with the CA's certificate " +
    "(ca.pem), the server's (server.pem) for every --host and for localhost, " +
    "and one for each --client, or for one called 'client'. Their keys are " +
    "beside them (.key, 0600). Later it makes what --client asks for. It " +
    "overwrites nothing: for a new certificate, remove the old one and its " +
    "key first.",
    "Whoever has ca.key can make clients that the server lets in: keep it " +
    "where others cannot read it, better not on the server. The server needs " +
    "ca.pem and its own two files, a client ca.pem and its own two.",
    "At the end it says how a server and a client use what it made, and how " +
    "a policy (serve --policy) names the clients. With nothing to make, it " +
    "says what is there.",
  ],
  example: "nextfs cert --host files.example.org --client alice tls",
  async run(values, [dir]): Promise<void> {
    using signals = new Signals();
    const authority = new CertificateAuthority(dir, signals);
    const isFirst = !authority.has(CA);
    const requests = planned(authority, values, isFirst);
    for (const { name } of requests) authority.checkIsNew(name);
    authority.prepare();
    if (isFirst) await authority.found();
    for (const request of requests) await authority.issue(request);
    const made = requests.map(({ name }) => name);
    report(authority, isFirst ? [CA, ...made] : made);
  },
});

/** A name of the DNS, in letters that need no encoding: RFC 1123, 2.1. */
const DNS_NAME = /^(?=.{1,253}$)(?:(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.|$))+$/;

/** Takes a host's name or its address, an IPv6 address in brackets or not. */
function host(value: string): string {
  const name = value.replace(/^\[(.*)\]$/, "$1");
  if (isIP(name) && !name.includes("%")) return name;
  const isName = DNS_NAME.test(name) && !name.endsWith(".") &&
    !/(?:^|\.)\d+$/.test(name);
  if (isName) return name.toLowerCase();
  throw new RangeError(`'${value}' is no host name and no address`);
}

/** Takes a name that can be a file's, and a subject's (64 characters). */
function clientName(value: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(value)) {
    throw new RangeError(
      `'${value}' is no name: 1 to 64 letters, digits or any of . _ @ -`,
    );
  }
  if (value !== CA && value !== SERVER) return value;
  throw new RangeError(`'${value}' is not a client's name here`);
}

/** What is to be made, besides the authority. */
function planned(
  authority: CertificateAuthority,
  { host, client, days }: CertValues,
  isFirst: boolean,
): CertificateRequest[] {
  const hosts = [...new Set([...host, ...LOCAL_HOSTS])];
  const requests: CertificateRequest[] = [];
  if (host.length > 0 || !authority.has(SERVER)) {
    requests.push({ name: SERVER, purpose: "server", hosts, days });
  }
  const clients = isFirst && client.length === 0 ? [FIRST_CLIENT] : client;
  for (const name of new Set(clients)) {
    requests.push({ name, purpose: "client", hosts: [], days });
  }
  return requests;
}

/** Says what is there, what to do with it, and how a policy names clients. */
function report(
  authority: CertificateAuthority,
  made: readonly string[],
): void {
  const output = new Output();
  const all = authority.names();
  for (const name of made.length > 0 ? made : all) {
    output.line(`${made.length > 0 ? "Made " : ""}${line(authority, name)}`);
  }
  const isClient = (name: string): boolean => name !== CA && name !== SERVER;
  const shown = made.some(isClient) ? made : all;
  const clients = shown.filter(isClient);
  for (const text of advice(authority, clients)) output.line(text);
  output.flush();
}

/** One line about a certificate. */
function line(authority: CertificateAuthority, name: string): string {
  const certificate = authority.read(name);
  const what = name === CA
    ? "the CA"
    : name === SERVER
    ? `the server ${hostsOf(certificate).join(", ")}`
    : "a client";
  const until = new Date(certificate.validTo).toISOString().slice(0, 10);
  return `${printable(authority.certPath(name))}: ${what}, until ${until}`;
}

/** The names and addresses that a certificate is for. */
function hostsOf({ subjectAltName }: X509Certificate): string[] {
  return (subjectAltName ?? "").split(", ").map((name) =>
    name.replace(/^(?:DNS|IP Address):/, "")
  );
}

function advice(
  authority: CertificateAuthority,
  clients: readonly string[],
): string[] {
  const [client] = clients;
  if (client === undefined) return [];
  const file = (path: string): string => shellWord(path);
  const ca = file(authority.certPath(CA));
  const own = (name: string): string =>
    `--tls-cert ${file(authority.certPath(name))} ` +
    `--tls-key ${file(authority.keyPath(name))}`;
  const [host] = hostsOf(authority.read(SERVER));
  const at = isIP(host) === 6 ? `[${host}]` : host;
  return [
    ...["", "Serve with it:"],
    `  nextfs serve --listen tls:0.0.0.0:7000 ${own(SERVER)} ` +
    `--client-ca ${ca} VOLUME`,
    "Connect with it:",
    `  nextfs ls --connect tls:${at}:7000 ${own(client)} --ca ${ca} /`,
    ...["", "How a policy (nextfs serve --policy FILE) names a client:"],
    ...clients.flatMap((name) => policyNames(authority.read(name))),
  ];
}

/** The two ways in which a rule may name a certificate. */
function policyNames({ raw }: X509Certificate): string[] {
  const { subject, fingerprint } = describeCertificate(raw);
  return [
    `  "subject": ${JSON.stringify(subject)}`,
    `  "fingerprint": "${formatFingerprint(fingerprint)}"`,
  ];
}

/** A path as a shell takes it. */
function shellWord(path: string): string {
  const text = printable(path.startsWith("-") ? `./${path}` : path);
  return /^[\w@%+=:,./-]+$/.test(text)
    ? text
    : `'${text.replaceAll("'", "'\\''")}'`;
}
