/**
 * Changing attributes, and the times that change by themselves.
 *
 * @module
 */

import { DeviceError } from "../bd/block_device.ts";
import {
  type AttributeChanges,
  S_IFMT,
  S_IFREG,
  S_ISGID,
  S_ISUID,
  type Timestamp,
} from "./attributes.ts";
import { FsError } from "./errors.ts";
import {
  checkMutable,
  INODE,
  type Inode,
  NOATIME_FL,
  type TimeName,
  USER_FLAGS,
} from "./inode.ts";
import { isMember } from "./permissions.ts";
import { chmodAcl } from "./xattr.ts";

/**
 * When reading sets the time of the last read: `"relatime"` if it is not later
 * than the last change or is a day old (as Linux does), always, or never.
 */
export type AtimePolicy = "relatime" | "strictatime" | "noatime";

/** Seconds after which relatime sets the time in any case. */
const RELATIME_SECONDS = 24 * 60 * 60;

/** Stores all `changes` but that of the size, which the caller has made. */
export function changeAttributes(
  inode: Inode,
  changes: AttributeChanges,
): void {
  const { mode, flags, size, birthtime, ctime, ...others } = changes;
  const isUnlocking = flags !== undefined && mode === undefined &&
    Object.values(others).every((value) => value === undefined);
  if (!isUnlocking) checkMutable(inode, isTouch(changes));
  changeOwner(inode, changes);
  if (mode !== undefined) {
    inode.mode = inode.mode & S_IFMT | mode & 0o7777;
    chmodAcl(inode, mode);
  }
  if (flags !== undefined) {
    const kept = inode.get(INODE.i_flags) & ~USER_FLAGS;
    inode.set(INODE.i_flags, kept | flags & USER_FLAGS);
  }
  // The clock is read once: times that are set to the present are equal.
  const present: TimeName[] = ["ctime"];
  if (size !== undefined || changes.mtime === "now") present.push("mtime");
  if (changes.atime === "now") present.push("atime");
  inode.touch(...present);
  changeTime(inode, "atime", changes.atime);
  changeTime(inode, "mtime", changes.mtime);
  changeTime(inode, "ctime", ctime);
  changeTime(inode, "crtime", birthtime);
}

/** Whether no more is asked for than what appending does by itself. */
function isTouch({ atime, mtime, ...others }: AttributeChanges): boolean {
  return atime === "now" && mtime === "now" &&
    Object.values(others).every((value) => value === undefined);
}

function changeOwner(inode: Inode, { uid, gid }: AttributeChanges): void {
  for (const id of [uid, gid]) {
    if (
      id !== undefined && !(Number.isInteger(id) && id >= 0 && id < 2 ** 32)
    ) {
      throw new FsError("EINVAL", `${id} is no user or group id`);
    }
  }
  if (uid === undefined && gid === undefined) return;
  // Whoever gave the file set-id bits did not give them to its new owner.
  dropSetId(inode);
  if (uid !== undefined) inode.uid = uid;
  if (gid !== undefined) inode.gid = gid;
}

/**
 * Clears the set-id bits of a file that the running operation changes for
 * someone who could not have given it these.
 */
export function dropSetId(inode: Inode): void {
  const { mode, kind, volume } = inode;
  if (kind !== S_IFREG || (mode & (S_ISUID | S_ISGID)) === 0) return;
  // Without group execution, set-gid once meant mandatory locking.
  const keepsGroup = (mode & 0o010) === 0 &&
    isMember(volume.credentials, inode.gid);
  inode.mode = mode & ~(keepsGroup ? S_ISUID : S_ISUID | S_ISGID);
}

/** Stores a time, unless it is the present, which the caller has stored. */
function changeTime(
  inode: Inode,
  name: TimeName,
  time: Timestamp | "now" | undefined,
): void {
  if (time === undefined || time === "now") return;
  const { sec, nsec } = time;
  const isTime = Number.isSafeInteger(sec) && Number.isInteger(nsec) &&
    nsec >= 0 && nsec < 1_000_000_000;
  if (!isTime) throw new FsError("EINVAL", `${sec}.${nsec} is no time`);
  inode.setTime(name, time);
}

/** Sets the time of the last read, as `policy` asks. */
export function touchAtime(inode: Inode, policy: AtimePolicy): void {
  if (policy === "noatime" || inode.volume.readOnly) return;
  if ((inode.get(INODE.i_flags) & NOATIME_FL) !== 0) return;
  const now = inode.volume.now();
  if (policy === "relatime") {
    const atime = inode.time("atime")!;
    const isRecent = now.sec - atime.sec < RELATIME_SECONDS;
    const isLater = isBefore(inode.time("mtime")!, atime) &&
      isBefore(inode.time("ctime")!, atime);
    if (isRecent && isLater) return;
  }
  try {
    inode.volume.transact(() => inode.setTime("atime", now));
  } catch (error) {
    // What was read is right, whether or not it can be noted that it was.
    const isRefused = error instanceof FsError &&
      (error.code === "EROFS" || error.code === "EAGAIN");
    if (!isRefused && !(error instanceof DeviceError)) throw error;
  }
}

function isBefore(a: Timestamp, b: Timestamp): boolean {
  return a.sec < b.sec || a.sec === b.sec && a.nsec < b.nsec;
}
