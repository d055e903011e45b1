/**
 * Finds at the start what would make every handshake fail: the runtime takes
 * any text for a certificate, and fails when somebody connects.
 *
 * @module
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { type TlsOptions, TlsOptionsError } from "./tls_options.ts";

const CERTIFICATE =
  /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The curves that TLS 1.3 has for signatures: RFC 8446, section 4.2.3. */
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];
/** Shorter RSA keys are refused by the runtime. */
const RSA_BITS_MIN = 2048;

/** The tag of a certificate's version, which those of version 1 lack. */
const VERSION_TAG = 0xa0;

/**
 * Throws {@link TlsOptionsError} for what cannot be used: a text without a
 * certificate or key, a certificate that is out of date or of version 1, a key
 * of another certificate or of a kind that TLS 1.3 does not have.
 */
export function checkTlsOptions({ ca, cert, key }: TlsOptions): void {
  readCertificates("ca", ca);
  const [own] = readCertificates("cert", cert);
  checkOwn(own);
  const privateKey = readKey(key);
  if (!own.checkPrivateKey(privateKey)) {
    throw new TlsOptionsError("key", "it is not the key of the certificate");
  }
}

function readCertificates(
  option: "ca" | "cert",
  pem: string,
): X509Certificate[] {
  const texts = pem.match(CERTIFICATE);
  if (texts === null) {
    throw new TlsOptionsError(option, "there is no certificate in it (PEM)");
  }
  return texts.map((text, i) => {
    try {
      return new X509Certificate(text);
    } catch {
      const which = texts.length > 1 ? `certificate ${i + 1}` : "certificate";
      throw new TlsOptionsError(option, `the ${which} in it is damaged`);
    }
  });
}

function checkOwn(certificate: X509Certificate): void {
  const now = Date.now();
  const { validFrom, validTo, raw } = certificate;
  if (now > Date.parse(validTo)) {
    throw new TlsOptionsError("cert", `it has expired: ${validTo}`);
  }
  if (now < Date.parse(validFrom)) {
    throw new TlsOptionsError("cert", `it is not valid yet: ${validFrom}`);
  }
  if (raw[contentAt(raw, contentAt(raw, 0))] !== VERSION_TAG) {
    throw new TlsOptionsError(
      "cert",
      "it is an X.509 certificate of version 1, which TLS 1.3 clients and " +
        "servers refuse; make one of version 3, with extensions",
    );
  }
}

/** Where the content of a DER element starts: X.690, section 8.1. */
function contentAt(der: Uint8Array, start: number): number {
  const length = der[start + 1];
  return start + 2 + (length < 0x80 ? 0 : length & 0x7f);
}

function readKey(pem: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) {
    throw new TlsOptionsError(
      "key",
      "it has a passphrase; take it off with 'openssl pkey'",
    );
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    throw new TlsOptionsError("key", "there is no private key in it (PEM)");
  }
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const isUsable = type === "ed25519" ||
    type === "ec" && CURVES.includes(details?.namedCurve ?? "") ||
    type === "rsa" && (details?.modulusLength ?? 0) >= RSA_BITS_MIN;
  if (isUsable) return key;
  throw new TlsOptionsError(
    "key",
    `it is not of a kind that can be used (${type}); take an EC key on ` +
      `P-256, P-384 or P-521, Ed25519, or RSA of ${RSA_BITS_MIN} bits or more`,
  );
}
