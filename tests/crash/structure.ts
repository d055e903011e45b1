/**
 * The structure checker of our own, on the plaintext of a volume.
 *
 * @module
 */

import { MemoryFile } from "../../bd/memory_file.ts";
import { StdDevice } from "../../bd/std.ts";
import { checkVolume } from "../../fs/check/mod.ts";

/** What is wrong with a volume, a line for each problem. */
export async function structureProblems(
  plain: Uint8Array,
  blockSize: number,
): Promise<string[]> {
  const device = new StdDevice(new MemoryFile(plain), blockSize);
  const { problems, isClean } = await checkVolume(device, { mode: "check" });
  if (isClean) return [];
  return problems.map(({ code, message, inode, block }) =>
    `${code}: ${message} (inode ${inode}, block ${block})`
  );
}
