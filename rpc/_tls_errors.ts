/**
 * What a TLS handshake failed for, in words for people.
 *
 * @module
 */

import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { EndpointError } from "./endpoint_error.ts";
import { ALPN } from "./tls_options.ts";

/** Why a handshake was given up by this program, in words already. */
export class HandshakeError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "HandshakeError";
}

/** What can be wrong, each with its words for both sides. */
interface Fault {
  /** The codes that stand for it, of OpenSSL or the system. */
  readonly codes?: readonly string[];
  /** What the runtime's message says of it. */
  readonly message?: RegExp;
  /** What a server logs of a client. */
  readonly ofClient: string;
  /** What a client says of a server. */
  readonly ofServer: string;
}

/** The first that fits counts. */
const FAULTS: readonly Fault[] = [
  {
    codes: ["ERR_SSL_WRONG_VERSION_NUMBER"],
    ofClient: "it does not speak TLS",
    ofServer: "the server does not speak TLS; connect without certificates",
  },
  {
    codes: [
      "ERR_SSL_NO_APPLICATION_PROTOCOL",
      "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    ],
    ofClient: `it does not offer ${ALPN} (ALPN)`,
    ofServer: `the server does not speak ${ALPN}; check the endpoint`,
  },
  {
    message: /ProtocolVersion|Tls1[23]\w*Not|SupportedVersions/,
    ofClient: "it does not speak TLS 1.3",
    ofServer: "the server does not speak TLS 1.3; check the endpoint",
  },
  {
    codes: ["ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE"],
    ofClient: "it has no certificate",
    ofServer: "the server has no certificate; check the endpoint",
  },
  {
    message: /alert: \w*(Certificate|UnknownC[aA]|AccessDenied)/,
    ofClient: "it refuses the certificate of this server",
    ofServer: "the server refuses the certificate of this client",
  },
  {
    codes: ["CERT_HAS_EXPIRED"],
    ofClient: "its certificate has expired",
    ofServer: "the server's certificate has expired",
  },
  {
    codes: [
      "SELF_SIGNED_CERT_IN_CHAIN",
      "UNABLE_TO_GET_ISSUER_CERT",
      "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
      "DEPTH_ZERO_SELF_SIGNED_CERT",
    ],
    ofClient: "its certificate does not come from the CA",
    ofServer: "the server's certificate does not come from the CA",
  },
  {
    // The runtime says no more of most certificates that it refuses.
    codes: [
      "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
      "CERT_NOT_YET_VALID",
      "INVALID_PURPOSE",
    ],
    ofClient: "its certificate does not come from the CA, is out of date, " +
      "or is not one for clients",
    ofServer: "the server's certificate does not come from the CA, is out " +
      "of date, or is not one for servers",
  },
  {
    codes: ["ERR_TLS_CERT_ALTNAME_INVALID"],
    ofClient: "its certificate is for another name",
    ofServer: "the server's certificate is for another name",
  },
  {
    // So does a server that refuses a certificate, when the client has
    // finished its part of the handshake.
    codes: ["ECONNRESET", "EPIPE"],
    ofClient: "it went away during the handshake",
    ofServer: "the server ended the connection at once; its log says why: " +
      "it may refuse the certificate of this client",
  },
];

/** Why a server refused a client, as in "it has no certificate". */
export function refusalReason(error: unknown): string {
  return reason(error, "ofClient");
}

/** Why a client cannot connect, when it has reached the server. */
export function tlsEndpointError(
  endpoint: Endpoint,
  error: unknown,
): EndpointError {
  if (error instanceof EndpointError) return error;
  return new EndpointError(
    "EPROTO",
    `Cannot connect to ${formatEndpoint(endpoint)}: ` +
      reason(error, "ofServer"),
    { cause: error },
  );
}

function reason(error: unknown, words: "ofClient" | "ofServer"): string {
  const { code, message } = partsOf(error);
  if (error instanceof HandshakeError) return message;
  const fault = FAULTS.find((fault) =>
    fault.codes?.includes(code) || fault.message?.test(message)
  );
  if (fault === undefined) return oneLine(message) || code;
  // Which names the certificate is for, the runtime knows.
  return code === "ERR_TLS_CERT_ALTNAME_INVALID"
    ? `${fault[words]}: ${oneLine(message)}`
    : fault[words];
}

/** The runtime gives errors, and in one place only their code. */
function partsOf(error: unknown): { code: string; message: string } {
  if (typeof error === "string") return { code: error, message: "" };
  const { code, message } = (error ?? {}) as Record<string, unknown>;
  return {
    code: typeof code === "string" ? code : "",
    message: typeof message === "string" ? message : "",
  };
}

/** What came from another program, as far as it fits into a line. */
function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, " ").slice(0, 200);
}
