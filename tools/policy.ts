/**
 * The file of a policy, and what it is compared with before it counts.
 *
 * @module
 */

import {
  type Filesystem,
  FsError,
  ROOT_INODE,
  S_IFDIR,
  S_IFMT,
} from "../fs/mod.ts";
import { parseEndpoint, Policy, POLICY_MAX } from "../rpc/mod.ts";
import { PathError } from "./errors.ts";
import { readBounded } from "./read_bounded.ts";

/**
 * Reads the policy in the file at `path`. Throws {@link PathError} for a file
 * that cannot be read, and {@link PolicyError} for what is wrong in it.
 */
export function readPolicy(path: string): Policy {
  let bytes: Uint8Array;
  try {
    // Not readFile(): what a wrong path leads to may have no end.
    using file = Deno.openSync(path);
    bytes = readBounded((into) => file.readSync(into), POLICY_MAX + 1);
  } catch (error) {
    throw new PathError(path, error);
  }
  return Policy.parse(bytes, path);
}

/**
 * Throws {@link PolicyError} for a rule of `policy` that cannot mean what it
 * says: about a socket that is not among `endpoints`, or with an exported path
 * that is no directory of `filesystem`.
 */
export function checkPolicy(
  policy: Policy,
  filesystem: Filesystem,
  endpoints: readonly string[],
): void {
  policy.check({
    endpoints: endpoints.map(parseEndpoint),
    isDirectory: (path) => isDirectory(filesystem, path),
  });
}

/** Whether an absolute path leads to a directory, by no symbolic link. */
function isDirectory(filesystem: Filesystem, path: Uint8Array): boolean {
  let ino: number = ROOT_INODE;
  try {
    for (const name of namesOf(path)) {
      ino = filesystem.lookup(ino, name);
      if ((filesystem.getattr(ino).mode & S_IFMT) !== S_IFDIR) return false;
    }
    return true;
  } catch (error) {
    if (error instanceof FsError && error.code === "ENOENT") return false;
    throw error;
  }
}

function* namesOf(path: Uint8Array): Generator<Uint8Array> {
  for (let start = 1; start < path.length;) {
    const slash = path.indexOf(0x2f, start);
    const end = slash < 0 ? path.length : slash;
    yield path.subarray(start, end);
    start = end + 1;
  }
}
