/**
 * Node, for tests of what is to run there.
 *
 * @module
 */

import assert from "node:assert/strict";
import { buildClient } from "../../build/client.ts";

const NODE_LEAST = 20;

/** True if there is a Node to test with: not everywhere, but always in CI. */
export async function hasNode(): Promise<boolean> {
  try {
    const { stdout } = await new Deno.Command("node", { args: ["--version"] })
      .output();
    const version = new TextDecoder().decode(stdout);
    const [, major] = /^v(\d+)/.exec(version) ?? [];
    if (Number(major) >= NODE_LEAST) return true;
    console.log(`Skipped: Node is ${version.trim()}`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("Skipped: there is no Node");
  }
  assert.notEqual(Deno.env.get("CI"), "true", "CI needs Node 20 or later");
  return false;
}

/** Builds the package for programs in `dir`, as if it was installed there. */
export async function installClient(dir: string): Promise<void> {
  await buildClient(`${dir}/node_modules/@nextfs/nextfs`);
}
