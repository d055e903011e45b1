/**
 * What opening a volume costs, small or large: time until a server listens,
 * its memory then, and what a new volume takes on the host's disk.
 *
 * Run by `deno task bench:open`; needs Linux, and 200 MB in the temporary
 * directory.
 *
 * @module
 */

const SIZES = ["1G", "32G", "1T"];
const ROUNDS = 3;
const ROOT = new URL("..", import.meta.url).pathname;

function program(set: string, args: string[]): string[] {
  return [
    ...["run", "-q", `--config=${ROOT}deno.json`, `-P=${set}`],
    ...[`${ROOT}main.ts`, ...args],
  ];
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

/** Bytes that a directory's files take on the disk. */
function stored(directory: string): number {
  let bytes = 0;
  for (const { name } of Deno.readDirSync(directory)) {
    bytes += 512 * (Deno.statSync(`${directory}/${name}`).blocks ?? 0);
  }
  return bytes;
}

/** Milliseconds until a server of `volume` listens, and its MiB then. */
async function open(
  volume: string,
  keyFile: string,
): Promise<{ ms: number; mib: number }> {
  const began = performance.now();
  const listen = `unix:${volume}.sock`;
  const flags = ["--keyfile", keyFile, "--listen", listen];
  const server = new Deno.Command(Deno.execPath(), {
    args: program("serve", ["serve", ...flags, volume]),
    stdout: "piped",
  }).spawn();
  const reader = server.stdout.getReader();
  const { value } = await reader.read();
  const ms = performance.now() - began;
  if (!value) throw new Error("the server did not start");
  const status = Deno.readTextFileSync(`/proc/${server.pid}/status`);
  const mib = Number(/VmRSS:\s*(\d+) kB/.exec(status)![1]) / 1024;
  server.kill("SIGTERM");
  while (!(await reader.read()).done);
  await server.status;
  return { ms, mib };
}

const work = Deno.makeTempDirSync({ prefix: "nextfs-bench-" });
try {
  const keyFile = `${work}/key`;
  Deno.writeFileSync(keyFile, crypto.getRandomValues(new Uint8Array(32)));
  console.log("size   made in   on disk   listens after   resident");
  for (const size of SIZES) {
    const volume = `${work}/${size}`;
    const began = performance.now();
    const { success } = new Deno.Command(Deno.execPath(), {
      args: program("nextfs", [
        "init",
        "-s",
        size,
        "--keyfile",
        keyFile,
        volume,
      ]),
    }).outputSync();
    if (!success) throw new Error(`init of ${size} failed`);
    const made = performance.now() - began;
    const runs = [];
    for (let i = 0; i < ROUNDS; i++) runs.push(await open(volume, keyFile));
    console.log(
      size.padEnd(4),
      `${(made / 1000).toFixed(1)} s`.padStart(9),
      `${(stored(volume) / 2 ** 20).toFixed(0)} MiB`.padStart(9),
      `${median(runs.map(({ ms }) => ms)).toFixed(0)} ms`.padStart(15),
      `${median(runs.map(({ mib }) => mib)).toFixed(0)} MiB`.padStart(10),
    );
    Deno.removeSync(volume, { recursive: true });
  }
} finally {
  Deno.removeSync(work, { recursive: true });
}
