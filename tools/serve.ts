/**
 * `nextfs serve`: a volume for others to use.
 *
 * @module
 */

import type { VerityDevice } from "../bd/verity.ts";
import { type Filesystem, FsError } from "../fs/mod.ts";
import {
  EndpointError,
  formatEndpoint,
  type Policy,
  Server,
} from "../rpc/mod.ts";
import {
  type Command,
  command,
  endpoint,
  list,
  option,
  path,
  setting,
  size,
  toggle,
  type Values,
} from "./cli.ts";
import { commitAtIntervals, commitInterval } from "./commit_interval.ts";
import { type Demo, makeDemo } from "./demo.ts";
import { detach } from "./detach.ts";
import { errorText, UsageError } from "./errors.ts";
import { Log } from "./log.ts";
import { DEVICE_FLAGS, DEVICE_NOTES, openFilesystem } from "./open_device.ts";
import { translateCommandLine } from "./original_command_line.ts";
import { giveBackSecretPlaces } from "./permissions.ts";
import { checkPolicy, readPolicy } from "./policy.ts";
import { readServerTls, TLS_SERVER_FLAGS } from "./tls.ts";

/** Least memory for blocks: sixteen of the largest. */
const CACHE_BYTES_MIN = 64 << 10;

function cacheSize(value: string): number {
  const bytes = size(value);
  if (bytes >= CACHE_BYTES_MIN) return bytes;
  throw new RangeError(`'${value}' is too little: at least 64K`);
}

const flags = {
  listen: list(
    "ENDPOINT",
    "unix:PATH, tls:HOST:PORT or tcp:HOST:PORT, once or more " +
      "(default: unix:VOLUME.sock)",
    endpoint,
  ),
  "read-only": toggle("Refuse all changes"),
  ...DEVICE_FLAGS,
  "cache-size": setting("SIZE", "Memory for blocks", cacheSize, {
    fallback: "64M",
  }),
  "commit-interval": setting(
    "SECONDS",
    "How often changes are made durable that nobody asks it for",
    commitInterval,
    { fallback: "5" },
  ),
  ...TLS_SERVER_FLAGS,
  policy: option("FILE", "Who may do what, by certificate or socket", path),
  insecure: toggle("Listen where other machines connect, unencrypted"),
  "log-file": option("PATH", "Append messages to this file", path, "l"),
  verbose: toggle("Log connections, too", "v"),
  detach: toggle("Go on in the background once it listens", "d"),
};

/** The command. */
export const serve: Command = command({
  name: "serve",
  summary: "Serve a volume or an image on UNIX sockets and TCP ports",
  operands: "[VOLUME | IMAGE]",
  least: 0,
  most: 1,
  flags,
  translate: (args) => translateCommandLine(args, flags),
  notes: [
    "Without VOLUME, demo/volume is served, which is made of the project's " +
    "own files the first time.",
    ...DEVICE_NOTES,
    "After every flush the trusted state of a verified IMAGE is in the root " +
    "file, if there is one; it is printed at the end, and put into the log " +
    "file, as ROOT of the next start.",
    "--policy FILE says who may do what, by client certificate or socket: " +
    "access, exported directory, user, limits. Whom no rule matches is " +
    "refused. Without it whoever can connect is the superuser. The file is " +
    "described in docs/policy.md.",
    "SIGTERM, SIGINT and SIGHUP end it: requests in progress are answered, " +
    "all is made durable, and the exit code is 0. Otherwise changes are " +
    "durable when a client asks for it, or at the next --commit-interval.",
    "The original server's command line is understood as well: [-a] [-b " +
    "DEVICE] [-d] [-l LOGFILE] [-v] [-Z CACERT CERT PRIVKEY] UDSPATH IMAGE.",
  ],
  example:
    "nextfs serve --keyfile demo/key --listen unix:demo.sock demo/volume",
  async run(values, operands): Promise<void> {
    if (values.detach) {
      checkRootIsKept(values);
      return await goOnInBackground();
    }
    if (values.listen.length === 0 && operands.length > 0) {
      checkDefault(defaultEndpoint(operands[0]));
    }
    const tls = readServerTls(values);
    const policy = values.policy ? readPolicy(values.policy) : undefined;
    using log = new Log("serve", values["log-file"]);
    const { demo, path, opened } = await openServed(values, operands, log);
    const { filesystem, verity, keepsState } = opened;
    const listen = values.listen.length > 0
      ? values.listen
      : [demo ? `unix:${demo.socket}` : defaultEndpoint(path)];
    const server = new Server(filesystem, {
      insecure: values.insecure,
      tls,
      policy,
      log: log.line,
      verbose: values.verbose,
    });
    try {
      const interval = values["commit-interval"];
      const served = { filesystem, server, policy, log, interval };
      await serveUntilSignal(served, listen, () => {
        if (demo) console.log(demo.advice);
      });
    } finally {
      if (verity) reportState(verity, { keepsState, log });
    }
  },
});

/** What is served, and where it lies. */
interface Opened {
  readonly demo: Demo | null;
  readonly path: string;
  readonly opened: Awaited<ReturnType<typeof openFilesystem>>;
}

/** Opens what the operand names, or the demonstration if there is none. */
async function openServed(
  values: Values<typeof flags>,
  operands: readonly string[],
  log: Log,
): Promise<Opened> {
  const demo = operands.length === 0 ? await makeDemo() : null;
  const path = demo?.volume ?? operands[0];
  const opened = await openFilesystem(
    path,
    demo ? { ...values, keyfile: demo.keyfile } : values,
    {
      readOnly: values["read-only"],
      cacheSize: values["cache-size"],
      warn: log.line,
      badBlock: log.line,
    },
  );
  giveBackSecretPlaces();
  return { demo, path, opened };
}

/** The endpoint that goes with the path of a volume or image. */
function defaultEndpoint(path: string): string {
  return `unix:${path.replace(/\/+$/, "")}.sock`;
}

/** A path may be too long for the endpoint that goes with it. */
function checkDefault(value: string): void {
  try {
    endpoint(value);
  } catch (error) {
    throw new UsageError(`${errorText(error)} (give --listen ENDPOINT)`);
  }
}

/**
 * Throws {@link UsageError} if the last root, which nobody sees printed in the
 * background, would be lost: the image would not open again.
 */
function checkRootIsKept(values: Values<typeof flags>): void {
  const root = values["block-device"]?.verity?.root;
  const isKept = root === undefined || root.kind === "file" ||
    values["root-file"] !== undefined || values["log-file"] !== undefined;
  if (isKept || values["read-only"]) return;
  throw new UsageError(
    "In the background nobody sees the root of the next start, and without " +
      "it the image does not open: give --root-file PATH",
  );
}

/** The same command without `--detach`, in a process of its own. */
function goOnInBackground(): Promise<void> {
  const args = translateCommandLine(Deno.args.slice(1), flags);
  return detach(["serve", ...args.filter((arg) => arg !== "--detach")]);
}

/** Says what was bad, and prints ROOT of the next start. */
function reportState(
  { state, statistics }: VerityDevice,
  { keepsState, log }: { keepsState: boolean; log: Log },
): void {
  const { failures } = statistics;
  if (failures > 0) log.line(`${failures} accesses met bad blocks`);
  if (keepsState) return;
  const root = `Root: ${state.root.toHex()}@${state.leafCount}`;
  console.log(root);
  if (log.isFile) log.line(root);
}

async function serveUntilSignal(
  { filesystem, server, policy, log, interval }: {
    filesystem: Filesystem;
    server: Server;
    policy?: Policy;
    log: Log;
    interval: number;
  },
  endpoints: string[],
  ready: () => void,
): Promise<void> {
  const ended = signal();
  try {
    if (policy) checkPolicy(policy, filesystem, endpoints);
    for (const endpoint of endpoints) await listen(server, endpoint);
    ready();
    await commitAtIntervals(filesystem, { interval, ended, log: log.line });
  } finally {
    try {
      await server.stop();
    } finally {
      await close(filesystem, log);
    }
  }
}

/** Closes it; says what it means if that fails, since the reason does not. */
async function close(filesystem: Filesystem, log: Log): Promise<void> {
  try {
    await filesystem.close();
  } catch (error) {
    log.line(
      "It could not be ended in good order: changes that no sync has " +
        "confirmed may be lost",
    );
    throw error;
  }
}

async function listen(server: Server, where: string): Promise<void> {
  try {
    const found = await server.listen(where);
    console.log(`Listening on ${formatEndpoint(found)}`);
  } catch (error) {
    // Errors of the server's own say where; those of the host do not.
    if (error instanceof FsError || error instanceof EndpointError) throw error;
    throw new Error(`Cannot listen on ${where}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

/** Resolves when the process is asked to end. */
function signal(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      Deno.addSignalListener(name, () => resolve());
    }
  });
}
