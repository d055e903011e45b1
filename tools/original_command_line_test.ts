import assert from "node:assert/strict";
import { type Flags, list, option, text, toggle } from "./cli.ts";
import { UsageError } from "./errors.ts";
import { translateCommandLine } from "./original_command_line.ts";

const flags: Flags = {
  listen: list("ENDPOINT", "", text),
  "block-device": option("DEVICE", "", text, "b"),
  "log-file": option("PATH", "", text),
  "client-ca": option("PATH", "", text),
  "tls-cert": option("PATH", "", text),
  "tls-key": option("PATH", "", text),
  detach: toggle(""),
  verbose: toggle("", "v"),
  "read-only": toggle(""),
};

const translated = (...args: string[]): string[] =>
  translateCommandLine(args, flags);

Deno.test("the original's whole command line is understood", () => {
  const config = "bdverity:t.tree:secret:00ff";
  assert.deepEqual(
    translated(
      ...["-a", "-b", config, "-d", "-l", "x.log", "-v"],
      ...["-Z", "ca.pem", "cert.pem", "key.pem", "name", "x.img"],
    ),
    [
      ...[`--block-device=${config}`, "--detach", "--log-file=x.log"],
      ...["--verbose", "--client-ca=ca.pem", "--tls-cert=cert.pem"],
      ...["--tls-key=key.pem", "--listen=unix:@name", "--", "x.img"],
    ],
  );
});

Deno.test("letters may stand together, and values right behind them", () => {
  assert.deepEqual(translated("-advlx.log", "name", "x.img"), [
    "--detach",
    "--verbose",
    "--log-file=x.log",
    "--listen=unix:@name",
    "--",
    "x.img",
  ]);
  assert.deepEqual(translated("-vZca", "cert", "key", "s", "-bbdstd", "i"), [
    "--verbose",
    "--client-ca=ca",
    "--tls-cert=cert",
    "--tls-key=key",
    "--block-device=bdstd",
    "--listen=unix:s",
    "--",
    "i",
  ]);
});

Deno.test("two operands are socket and image, with our flags, too", () => {
  assert.deepEqual(translated("s", "--read-only", "--log-file", "l", "i"), [
    "--read-only",
    "--log-file",
    "l",
    "--listen=unix:s",
    "--",
    "i",
  ]);
  assert.deepEqual(translated("--", "-s", "-i"), [
    "--listen=unix:-s",
    "--",
    "-i",
  ]);
  assert.deepEqual(translated("@s", "i"), ["--listen=unix:./@s", "--", "i"]);
});

Deno.test("what is ours stays ours", () => {
  assert.deepEqual(translated(), []);
  assert.deepEqual(translated("i"), ["--", "i"]);
  assert.deepEqual(translated("i", "--listen", "unix:s", "-v"), [
    "--listen",
    "unix:s",
    "--verbose",
    "--",
    "i",
  ]);
  assert.deepEqual(translated("--listen=unix:s", "a", "b", "c"), [
    "--listen=unix:s",
    "--",
    "a",
    "b",
    "c",
  ]);
});

Deno.test("what is wrong is left for the parser to say", () => {
  assert.deepEqual(translated("-x", "--unknown", "i"), [
    "-x",
    "--unknown",
    "--",
    "i",
  ]);
});

Deno.test("flags without their values and -a without a name are refused", () => {
  assert.throws(() => translated("i", "-b"), /-b needs a value: -b DEVICE/);
  assert.throws(() => translated("i", "--log-file"), UsageError);
  assert.throws(() => translated("s", "i", "-Z", "a", "b"), UsageError);
  assert.throws(() => translated("-a", "i"), UsageError);
});
