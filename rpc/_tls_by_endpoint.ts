/**
 * Which endpoints have TLS.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";

/** The flags of the commands that hold what TLS needs. */
const TLS_FLAGS = {
  "connect to": "--tls-cert, --tls-key and --ca",
  "listen at": "--tls-cert, --tls-key and --client-ca",
} as const;

/**
 * Throws `EINVAL` unless an endpoint fits whether certificates are `given`:
 * `tls:` is never without, and `tcp:` is never with them.
 */
export function checkTls(
  action: keyof typeof TLS_FLAGS,
  endpoint: Endpoint,
  given: boolean,
): void {
  if (endpoint.kind === "unix" || given === (endpoint.kind === "tls")) return;
  const where = formatEndpoint(endpoint);
  throw new FsError(
    "EINVAL",
    `cannot ${action} ${where}: ` +
      (given
        ? `with certificates it is tls${where.slice("tcp".length)}`
        : `TLS needs certificates; give ${TLS_FLAGS[action]}`),
  );
}
