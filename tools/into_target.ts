/**
 * `SOURCE… TARGET`: what mv and ln share.
 *
 * @module
 */

import { PathError, UsageError } from "./errors.ts";
import { baseName, joinPath, toBytes } from "./names.ts";
import { hasCode, resolveParent } from "./remote_walk.ts";
import type { Session } from "./session.ts";

/**
 * Does `action` for each source, with the last operand as the target, or with
 * a name in it if it is a directory.
 */
export async function intoTarget(
  session: Session,
  operands: string[],
  action: (source: string, target: Uint8Array) => Promise<void>,
): Promise<void> {
  const sources = operands.slice(0, -1);
  const target = toBytes(operands.at(-1)!);
  const { reporter } = session;
  const directory = await isTargetDirectory(session, target);
  if (sources.length > 1 && !directory) {
    throw new UsageError(`'${operands.at(-1)}' is not a directory`);
  }
  for (const source of sources) {
    await reporter.attempt(source, async () => {
      const name = baseName(toBytes(source));
      const path = directory ? joinPath(target, name) : target;
      try {
        await action(source, path);
      } catch (error) {
        // The message names the path that the user can do something about.
        const ofTarget = hasCode(error, "EEXIST") ||
          hasCode(error, "ENOTEMPTY");
        if (ofTarget) throw new PathError(path, error);
        throw error;
      }
    });
  }
}

/**
 * Whether the target is a directory. If it is not, the directory that it is
 * to be in must exist: an error of either is the target's.
 */
async function isTargetDirectory(
  { files }: Session,
  target: Uint8Array,
): Promise<boolean> {
  try {
    return (await files.stat(target)).isDirectory;
  } catch (error) {
    const missing = hasCode(error, "ENOENT") || hasCode(error, "ELOOP");
    if (!missing) throw new PathError(target, error);
  }
  try {
    await resolveParent(files.client, target);
  } catch (error) {
    throw new PathError(target, error);
  }
  return false;
}
