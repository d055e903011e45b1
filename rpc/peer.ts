/**
 * What a transport knows of who is at its other end.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { childrenOf, DerError, readDer, TAG } from "./_der.ts";
import { formatName } from "./distinguished_name.ts";
import type { Endpoint } from "./endpoint.ts";

/** Who is at the other end of a stream. */
export interface Peer {
  /**
   * The endpoint that the peer came in by; for a client, the one that it has
   * connected to.
   */
  readonly endpoint: Endpoint;
  /** The peer's own address, as `HOST:PORT`; absent for a UNIX socket. */
  readonly address?: string;
  /** The certificate that the peer has shown, which was verified; TLS only. */
  readonly certificate?: PeerCertificate;
}

/** What a certificate says of whom it was made for. */
export interface PeerCertificate {
  /**
   * The subject, as RFC 4514 writes it: `CN=alice,O=Example`. One subject has
   * one text; see {@link formatName}. Empty if the certificate has none.
   */
  readonly subject: string;
  /** SHA-256 of the certificate's DER: 64 lower-case hexadecimal digits. */
  readonly fingerprint: string;
}

/**
 * Describes a certificate, given as DER. Throws `DerError` for what is none.
 */
export function describeCertificate(der: Uint8Array): PeerCertificate {
  // RFC 5280, section 4.1: the version may be absent, and the subject is
  // behind serial number, signature algorithm, issuer and validity.
  const [toBeSigned] = childrenOf(readDer(der), TAG.sequence, 3);
  const fields = childrenOf(toBeSigned, TAG.sequence);
  if (fields[0]?.tag === TAG.field0) fields.shift();
  const subject = fields[4];
  if (subject === undefined) throw new DerError("there is no subject");
  return {
    subject: formatName(subject),
    fingerprint: createHash("sha256").update(der).digest("hex"),
  };
}

/** A fingerprint as programs show it: pairs of capital digits, and colons. */
export function formatFingerprint(fingerprint: string): string {
  return fingerprint.toUpperCase().match(/../g)!.join(":");
}
