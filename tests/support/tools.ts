/**
 * The independent judges: e2fsck, debugfs, mke2fs and the kernel's driver.
 *
 * A test names what it needs. Where that is missing the test is skipped and
 * the reason is printed; with `CI=true` it runs all the same, and fails.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";

/** Debian's Python: another one in PATH has no packages of Debian. */
export const DEBIAN_PYTHON = "/usr/bin/python3";

/** What a program left behind. */
export interface Outcome {
  /** Exit code. */
  readonly code: number;
  /** Standard output, one character per byte. */
  readonly stdout: string;
  /** Standard error, likewise. */
  readonly stderr: string;
}

/** Directories that hold administrators' programs, often not in PATH. */
const PATH = `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`;

/** Runs a program to its end; standard input is empty. */
export async function run(
  program: string,
  ...args: string[]
): Promise<Outcome> {
  const command = new Deno.Command("env", {
    args: [program, ...args],
    env: { PATH, LC_ALL: "C", MKE2FS_SKIP_PROGRESS: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const { code, stdout, stderr } = await command.output();
  return { code, stdout: latin1(stdout), stderr: latin1(stderr) };
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");

/** Runs a program that must succeed; returns its standard output. */
export async function must(
  program: string,
  ...args: string[]
): Promise<string> {
  const outcome = await run(program, ...args);
  assert.equal(
    outcome.code,
    0,
    `${program} ${args.join(" ")} exited ${outcome.code}\n` +
      outcome.stdout + outcome.stderr,
  );
  return outcome.stdout;
}

/**
 * Asserts that `e2fsck -fn` finds nothing to say against an image. Without
 * e2fsprogs it says that it cannot tell, except with `CI=true`.
 */
export async function assertClean(image: string, when = ""): Promise<void> {
  const reason = await whyMissing("e2fsprogs");
  if (reason !== null && !isCi()) {
    console.log(`skipped: e2fsck (no e2fsprogs: ${reason})`);
    return;
  }
  const outcome = await run("e2fsck", "-fn", image);
  assert.equal(
    outcome.code,
    0,
    `e2fsck -fn exits ${outcome.code} ${when}\n${outcome.stdout}` +
      outcome.stderr,
  );
}

/** Runs one debugfs request that only looks; returns what it prints. */
export async function debugfs(image: string, request: string): Promise<string> {
  const outcome = await run("debugfs", "-R", request, image);
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome.stdout;
}

/** Runs one debugfs request that may write. */
export async function debugfsWrite(
  image: string,
  request: string,
): Promise<void> {
  const outcome = await run("debugfs", "-w", "-R", request, image);
  const complaints = outcome.stderr.replace(/^debugfs [0-9.]+ .*\n/, "");
  assert.equal(outcome.code + complaints, "0", `debugfs ${request}`);
}

/**
 * Mounts an image by the kernel's driver for ext2 or `driver`, calls `visit` with the mount point,
 * and unmounts it whatever happens.
 */
export async function withMount<T>(
  image: string,
  options: string,
  visit: (root: string) => Promise<T>,
  driver = "ext2",
): Promise<T> {
  const root = await Deno.makeTempDir({ prefix: "nextfs-mount-" });
  try {
    const o = `loop,${options}`;
    await must("mount", "-t", driver, "-o", o, image, root);
    try {
      return await visit(root);
    } finally {
      await must("umount", root);
    }
  } finally {
    await Deno.remove(root);
  }
}

/** Something outside this project that a test cannot do without. */
export type Need =
  | "e2fsprogs"
  | "loop mounts"
  | "node"
  | "openssl"
  | "python3"
  | "python3-cbor2"
  | "setfattr"
  | "setfacl";

const PROBES: Record<Need, () => Promise<string | null>> = {
  "e2fsprogs": () => probe("mke2fs", "-V"),
  "node": () => probe("node", "--version"),
  "openssl": () => probe("openssl", "version"),
  "python3": () => probe("python3", "--version"),
  "python3-cbor2": () => probe(DEBIAN_PYTHON, "-c", "import cbor2, ssl"),
  "setfattr": () => probe("setfattr", "--version"),
  "setfacl": () => probe("setfacl", "--version"),
  "loop mounts": probeLoopMount,
};

async function probe(program: string, ...args: string[]): Promise<
  string | null
> {
  const { code, stderr } = await run(program, ...args);
  return code === 0 ? null : stderr.trim() || `${program} exits ${code}`;
}

async function probeLoopMount(): Promise<string | null> {
  try {
    return await withTempDir(async (dir) => {
      const image = `${dir}/probe.img`;
      await must("truncate", "-s", "1M", image);
      await must("mke2fs", "-q", "-t", "ext2", image);
      await withMount(image, "ro", () => Promise.resolve());
      return null;
    });
  } catch (error) {
    return (error as Error).message.trim().split("\n").join("; ");
  }
}

const missing = new Map<Need, Promise<string | null>>();

/** Why a need cannot be met; null if it can. */
function whyMissing(need: Need): Promise<string | null> {
  let reason = missing.get(need);
  if (!reason) missing.set(need, reason = PROBES[need]());
  return reason;
}

function isCi(): boolean {
  return Deno.env.get("CI") === "true";
}

/**
 * Declares a test that needs things from outside. Where one is missing it is
 * skipped and says why, except with `CI=true`.
 */
export async function testWith(
  needs: readonly Need[],
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): Promise<void> {
  let reason: string | null = null;
  for (const need of needs) {
    const text = await whyMissing(need);
    if (text !== null) reason ??= `no ${need}: ${text}`;
  }
  const ignore = reason !== null && !isCi();
  if (ignore) console.log(`skipped: ${name} (${reason})`);
  Deno.test({ name, ignore, fn });
}

/** Calls `visit` with a new directory, and removes it whatever happens. */
export async function withTempDir<T>(
  visit: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "nextfs-test-" });
  try {
    return await visit(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
