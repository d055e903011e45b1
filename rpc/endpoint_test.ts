import assert from "node:assert/strict";
import { FsError } from "../fs/errors.ts";
import { formatEndpoint, isLocal, parseEndpoint } from "./endpoint.ts";

Deno.test("parseEndpoint() reads what formatEndpoint() writes", () => {
  for (
    const text of [
      "unix:/run/nextfs.sock",
      "unix:relative.sock",
      "unix:@name",
      "unix:/a:b@c",
      "tcp:localhost:0",
      "tcp:127.0.0.1:65535",
      "tcp:[::1]:2049",
      "tcp:[fe80::1%eth0]:1",
      "tls:nextfs.test:7000",
      "tls:[::1]:0",
    ]
  ) {
    assert.equal(formatEndpoint(parseEndpoint(text)), text);
  }
  assert.deepEqual(parseEndpoint("unix:@x"), {
    kind: "unix",
    path: "x",
    abstract: true,
  });
  assert.deepEqual(parseEndpoint("tcp:[::1]:80"), {
    kind: "tcp",
    host: "::1",
    port: 80,
  });
});

Deno.test("parseEndpoint() says what is wrong with anything else", () => {
  for (
    const [text, reason] of [
      ["", /expected unix:PATH/],
      ["/run/x.sock", /expected unix:PATH/],
      ["http://x", /expected unix:PATH/],
      ["unix:", /path is empty/],
      ["unix:@", /path is empty/],
      ["unix:a\0b", /holds a NUL/],
      [`unix:/${"x".repeat(107)}`, /longer than 107 bytes/],
      ["tcp:localhost", /expected tcp:HOST:PORT/],
      ["tcp::80", /expected tcp:HOST:PORT/],
      ["tcp:::1:80", /IPv6 addresses in brackets/],
      ["tcp:x:-1", /expected tcp:HOST:PORT/],
      ["tcp:x:65536", /above 65535/],
      ["tcp:x:1e3", /expected tcp:HOST:PORT/],
      ["tls:x", /expected tls:HOST:PORT/],
      ["tls:x:65536", /above 65535/],
    ] as const
  ) {
    assert.throws(
      () => parseEndpoint(text),
      (error) =>
        error instanceof FsError && error.code === "EINVAL" &&
        reason.test(error.message),
      text,
    );
  }
});

Deno.test("isLocal() is true only where no other machine can connect", () => {
  const local = ["unix:x", "tcp:localhost:1", "tcp:127.8.0.1:1", "tcp:[::1]:1"];
  const open = [
    "tls:0.0.0.0:1",
    "tcp:0.0.0.0:1",
    "tcp:[::]:1",
    "tcp:host:1",
    "tcp:127.x:1",
  ];
  for (const text of local) assert.ok(isLocal(parseEndpoint(text)), text);
  for (const text of open) assert.ok(!isLocal(parseEndpoint(text)), text);
});
