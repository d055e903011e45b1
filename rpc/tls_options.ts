/**
 * What TLS needs: certificates, and whom to trust.
 *
 * @module
 */

/** What one side shows, and whom it accepts. All three are PEM texts. */
export interface TlsOptions {
  /**
   * Certificates of authorities. The other side's certificate must come from
   * one of them; whom the system trusts does not count.
   */
  readonly ca: string;
  /** The own certificate, and those between it and its authority. */
  readonly cert: string;
  /** The private key of the own certificate, without a passphrase. */
  readonly key: string;
}

/** What a client needs. */
export interface TlsClientOptions extends TlsOptions {
  /**
   * The name or address that the server's certificate must be for. If absent
   * it is the endpoint's host, and at a UNIX socket any will do.
   */
  readonly serverName?: string;
}

/** How a client connects by TLS. */
export interface TlsDialOptions extends TlsClientOptions {
  /** Milliseconds for the handshake; 10,000 if absent. */
  readonly handshakeTimeout?: number;
}

/** What both sides call the protocol, by ALPN (RFC 7301). */
export const ALPN = "nextfs/1";

const TITLES: Readonly<Record<keyof TlsOptions, string>> = {
  ca: "CA's certificate",
  cert: "certificate",
  key: "private key",
};

/** A certificate or a key cannot be used. */
export class TlsOptionsError extends Error {
  /** The name of the class, for messages. */
  override readonly name: string = "TlsOptionsError";
  /** Which of the options it is. */
  readonly option: keyof TlsOptions;
  /** What is wrong with it, as in "it has expired". */
  readonly reason: string;

  /** Makes an error about `option`. */
  constructor(option: keyof TlsOptions, reason: string) {
    super(`Cannot use the ${TITLES[option]}: ${reason}`);
    this.option = option;
    this.reason = reason;
  }
}
