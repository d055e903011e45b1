/**
 * `nextfs serve`: a volume for others to use.
 *
 * @module
 */

import { type Filesystem, FsError } from "../fs/mod.ts";
import { formatEndpoint, Server } from "../rpc/mod.ts";
import {
  type Command,
  command,
  endpoint,
  list,
  setting,
  size,
  toggle,
  type Values,
} from "./cli.ts";
import { errorText, UsageError } from "./errors.ts";
import { makeDemo } from "./demo.ts";
import { openImage } from "./open_image.ts";

/** Least memory for blocks: sixteen of the largest. */
const CACHE_BYTES_MIN = 64 << 10;
/** How often completed changes are made durable. */
const SYNC_INTERVAL_MS = 5000;

function cacheSize(value: string): number {
  const bytes = size(value);
  if (bytes >= CACHE_BYTES_MIN) return bytes;
  throw new RangeError(`'${value}' is too little: at least 64K`);
}

const flags = {
  listen: list(
    "ENDPOINT",
    "unix:PATH or tcp:HOST:PORT, once or more (default: unix:IMAGE.sock)",
    endpoint,
  ),
  "read-only": toggle("Refuse all changes"),
  "cache-size": setting("SIZE", "Memory for blocks", cacheSize, {
    fallback: "64M",
  }),
  insecure: toggle("Listen where other machines connect, unencrypted"),
};

/** The command. */
export const serve: Command = command({
  name: "serve",
  summary: "Serve an image on UNIX sockets and TCP ports",
  operands: "[IMAGE]",
  least: 0,
  most: 1,
  flags,
  notes: [
    "Without IMAGE, demo/nextfs.img is served, which is made of the project's " +
    "own files the first time.",
    "SIGTERM and SIGINT end it: requests in progress are answered, all is " +
    "made durable, and the exit code is 0. Otherwise changes are durable " +
    "after five seconds at most, or when a client asks for it.",
  ],
  example: "nextfs serve --listen unix:files.sock files.img",
  async run(values, operands): Promise<void> {
    if (values.listen.length === 0 && operands.length > 0) {
      checkDefault(`unix:${operands[0]}.sock`);
    }
    const demo = operands.length === 0 ? await makeDemo() : null;
    const image = demo?.image ?? operands[0];
    const volume = openImage(image, {
      readOnly: values["read-only"] || undefined,
      cacheSize: values["cache-size"],
    });
    for (const warning of volume.warnings) log(`${image}: ${warning}`);
    const endpoints = values.listen.length > 0
      ? values.listen
      : [`unix:${demo?.socket ?? `${image}.sock`}`];
    await serveUntilSignal(volume, { ...values, listen: endpoints }, () => {
      if (demo) console.log(demo.advice);
    });
  },
});

/** The endpoint that goes with an image's path, which may be too long. */
function checkDefault(value: string): void {
  try {
    endpoint(value);
  } catch (error) {
    throw new UsageError(`${errorText(error)} (give --listen ENDPOINT)`);
  }
}

async function serveUntilSignal(
  volume: Filesystem,
  values: Values<typeof flags>,
  ready: () => void,
): Promise<void> {
  const server = new Server(volume, { insecure: values.insecure, log });
  const ended = signal();
  try {
    for (const endpoint of values.listen) {
      await listen(server, endpoint);
    }
    ready();
    await syncUntil(volume, ended);
  } finally {
    await server.stop();
    await volume.close();
  }
}

async function listen(server: Server, where: string): Promise<void> {
  try {
    const found = await server.listen(where);
    console.log(`Listening on ${formatEndpoint(found)}`);
  } catch (error) {
    // Errors of the server's own say where; those of the host do not.
    if (error instanceof FsError) throw error;
    throw new Error(`Cannot listen on ${where}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

/** Resolves when the process is asked to end. */
function signal(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) {
      Deno.addSignalListener(name, () => resolve());
    }
  });
}

/** Makes changes durable at intervals, until `ended`. */
async function syncUntil(
  volume: Filesystem,
  ended: Promise<void>,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const pause = (): Promise<true> =>
    new Promise((resolve) => {
      timer = setTimeout(() => resolve(true), SYNC_INTERVAL_MS);
    });
  while (await Promise.race([ended, pause()])) {
    if (volume.readOnly) continue;
    try {
      await volume.sync();
    } catch (error) {
      log(`Cannot make changes durable: ${errorText(error)}`);
    }
  }
  clearTimeout(timer);
}

function log(message: string): void {
  console.error(`nextfs serve: ${message}`);
}
