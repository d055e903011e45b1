import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import {
  dial,
  type Endpoint,
  listen,
  parseEndpoint,
  type Peer,
  type TlsOptions,
} from "../../rpc/mod.ts";
import { certificates } from "../support/certificates.ts";
import { testWith } from "../support/tools.ts";

/** What the two ends of a connection know of each other. */
async function peersAt(
  endpoint: string,
  tls?: { readonly server: TlsOptions; readonly client: TlsOptions },
): Promise<{ at: Endpoint; ofServer: Peer; ofClient: Peer }> {
  const listener = await listen(parseEndpoint(endpoint), tls?.server);
  const [accepted, dialled] = await Promise.all([
    listener.accept(),
    dial(listener.endpoint, tls?.client),
  ]);
  dialled.close();
  accepted!.close();
  listener.close();
  assert.equal(await listener.accept(), null);
  return {
    at: listener.endpoint,
    ofServer: accepted!.peer,
    ofClient: dialled.peer,
  };
}

Deno.test("without TLS a peer is an endpoint and an address", async () => {
  const name = `unix:@nextfs-test-${crypto.randomUUID()}`;
  const unix = await peersAt(name);
  const expected = { endpoint: parseEndpoint(name), address: undefined };
  assert.deepEqual(unix.ofServer, expected);
  assert.deepEqual(unix.ofClient, expected);
  const { at, ofServer, ofClient } = await peersAt("tcp:127.0.0.1:0");
  assert.deepEqual([ofServer.endpoint, ofClient.endpoint], [at, at]);
  assert.match(ofServer.address!, /^127\.0\.0\.1:\d+$/);
  assert(at.kind === "tcp" && at.port > 0);
  assert.equal(ofClient.address, `127.0.0.1:${at.port}`);
  assert.equal(ofServer.certificate, undefined);
  const six = await peersAt("tcp:[::1]:0");
  assert.match(six.ofServer.address!, /^\[::1\]:\d+$/);
});

await testWith(["openssl"], "with TLS a peer has a certificate", async () => {
  const { ca, server, client } = await certificates();
  const tls = {
    server: { ca: ca.cert, cert: server.cert, key: server.key },
    client: { ca: ca.cert, cert: client.cert, key: client.key },
  };
  const fingerprint = (cert: string): string =>
    new X509Certificate(cert).fingerprint256.replaceAll(":", "").toLowerCase();
  const name = `unix:@nextfs-test-${crypto.randomUUID()}`;
  for (const endpoint of ["tls:127.0.0.1:0", name]) {
    const { at, ofServer, ofClient } = await peersAt(endpoint, tls);
    assert.deepEqual(ofServer.endpoint, at);
    assert.equal(ofServer.address !== undefined, at.kind === "tls");
    assert.deepEqual(ofServer.certificate, {
      subject: "CN=client",
      fingerprint: fingerprint(client.cert),
    });
    assert.deepEqual(ofClient.certificate, {
      subject: "CN=server",
      fingerprint: fingerprint(server.cert),
    });
  }
});
