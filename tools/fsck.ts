/**
 * `nextfs fsck`: the structure of a filesystem, checked and repaired.
 *
 * @module
 */

import { type BlockDevice, HostFile, StdDevice } from "../bd/mod.ts";
import { scrub, type ScrubReport } from "../bd/scrub.ts";
import type { VerityDevice } from "../bd/verity.ts";
import {
  type CheckMode,
  type CheckReport,
  checkVolume,
  type FoundProblem,
  hasSuperblockCopy,
  PROBLEM_KINDS,
} from "../fs/check/mod.ts";
import { blocksText } from "./block_owners.ts";
import { type Command, command, toggle, type Values } from "./cli.ts";
import {
  NoVolumeError,
  PathError,
  ProblemsFoundError,
  UsageError,
} from "./errors.ts";
import { EXIT } from "./exit_codes.ts";
import { printable } from "./names.ts";
import {
  DEVICE_FLAGS,
  DEVICE_NOTES,
  openDevice,
  type OpenedDevice,
} from "./open_device.ts";
import { Output } from "./output.ts";
import { Progress } from "./progress.ts";
import { nameFields } from "./remote_json.ts";

/** Sizes of blocks, the usual one first. */
const BLOCK_SIZES = [4096, 1024, 2048];

const flags = {
  ...DEVICE_FLAGS,
  "no-changes": toggle("Change nothing; this is the default", "n"),
  preen: toggle("Repair what can be repaired without loss, or nothing", "p"),
  yes: toggle("Repair everything", "y"),
  json: toggle("JSON: one object with all that was found"),
};

/** The command. */
export const fsck: Command = command({
  name: "fsck",
  summary: "Check the filesystem of a volume or an image, and repair it",
  operands: "VOLUME|IMAGE",
  least: 1,
  most: 1,
  flags,
  exits: { failure: EXIT.fsckFailed, usage: EXIT.fsckUsage },
  notes: [
    "Where there is a hash tree, all that was ever written is verified first, " +
    "as by 'nextfs verify'. Then follow superblock, groups, inodes, block " +
    "maps, attributes, directories, link counts and bitmaps. A line is " +
    "printed for each problem; nothing is changed without -p or -y.",
    "With -p, what is safe to repair is repaired, unless there is anything " +
    "else to repair: then nothing is. With -y, everything is repaired: what cannot be read of the structure is " +
    "made anew, and files without a name go to lost+found. Contents of files " +
    "that cannot be read are left as they are: remove the file, or read " +
    "around them with 'nextfs get --skip-bad'.",
    "The exit codes are those of e2fsck: 0 if there is nothing wrong, 1 if " +
    "everything was repaired, 4 if something is left, 8 if the check failed, " +
    "16 for a wrong command line; 10 to 14 if nothing could be opened, as of " +
    "all commands.",
    ...DEVICE_NOTES,
  ],
  example: "nextfs fsck -y --keyfile vault.key vault",
  async run(values, [path]): Promise<void> {
    const mode = modeOf(values);
    const opened = await open(path, values, mode === "check");
    try {
      const findings = await examine(path, mode, opened);
      if (findings.check.changed) sayRoot(opened);
      report(path, findings, { mode, json: values.json });
    } finally {
      opened.device.close();
    }
  },
});

/** Says what to trust from now on, where the user has to keep it. */
function sayRoot({ verity, keepsState }: OpenedDevice): void {
  if (!verity || keepsState) return;
  const { root, leafCount } = verity.state;
  warn(`Root: ${root.toHex()}@${leafCount}`);
}

function modeOf(values: Values<typeof flags>): CheckMode {
  const { "no-changes": none, preen, yes } = values;
  if (Number(none) + Number(preen) + Number(yes) > 1) {
    throw new UsageError("-n, -p and -y exclude each other: give one of them");
  }
  return yes ? "repair" : preen ? "preen" : "check";
}

/** Opens what is to be checked, a plain image without a superblock too. */
async function open(
  path: string,
  values: Values<typeof flags>,
  readOnly: boolean,
): Promise<OpenedDevice> {
  try {
    return await openDevice(path, values, { readOnly, warn });
  } catch (error) {
    const isPlain = error instanceof NoVolumeError &&
      values["block-device"] === undefined && isFile(path);
    const device = isPlain ? openByCopy(path, readOnly) : null;
    if (device === null) throw error;
    return { device, verity: null, keepsState: false };
  }
}

/** Opens an image by a copy of its superblock; null if there is none. */
function openByCopy(path: string, readOnly: boolean): BlockDevice | null {
  const file = HostFile.open(path, { readOnly });
  for (const blockSize of BLOCK_SIZES) {
    const device = new StdDevice(file, blockSize);
    if (hasSuperblockCopy(device)) return device;
  }
  file.close();
  return null;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** What the command has found out. */
interface Findings {
  /** The outcome of the check. */
  readonly check: CheckReport;
  /** Blocks that do not verify; null without a hash tree. */
  readonly bad: ScrubReport["bad"] | null;
}

async function examine(
  path: string,
  mode: CheckMode,
  { device, verity }: Pick<OpenedDevice, "device" | "verity">,
): Promise<Findings> {
  const total = verity ? verity.blockCount * verity.blockSize : 0;
  using progress = new Progress(total, "fsck");
  try {
    const bad = verity && await verifyAll(verity, progress);
    const check = await checkVolume(device, {
      mode,
      unreadable: bad?.ranges.map(({ first, count }) => ({
        start: first,
        count,
      })),
      progress: () => progress.add(0) ? progress.rest() : undefined,
    });
    // Others who look at an image know nothing of its journal.
    await device.settle?.();
    return { check, bad };
  } catch (error) {
    throw new PathError(path, error);
  }
}

async function verifyAll(
  verity: VerityDevice,
  progress: Progress,
): Promise<ScrubReport["bad"]> {
  const { blockSize } = verity;
  const { bad } = await scrub(verity, {
    progress: ({ checked, skipped }) => {
      progress.skip(skipped * blockSize);
      return progress.add(checked * blockSize) ? progress.rest() : undefined;
    },
  });
  return bad;
}

/** Prints what was found, and throws if there was anything. */
function report(
  path: string,
  { check, bad }: Findings,
  { mode, json }: { mode: CheckMode; json: boolean },
): void {
  const output = new Output();
  if (json) output.json(toJson(check, bad));
  else for (const line of toText(path, { check, bad }, mode)) output.line(line);
  output.flush();
  if (check.isClean) return;
  throw new ProblemsFoundError(
    check.isSound ? EXIT.fsckRepaired : EXIT.fsckLeft,
  );
}

function* toText(
  path: string,
  { check, bad }: Findings,
  mode: CheckMode,
): Generator<string> {
  for (const { first, count } of bad?.ranges ?? []) {
    const blocks = blocksText({ start: first, count });
    yield `fsck: ${blocks}: not what was written`;
  }
  for (const problem of check.problems) yield problemLine(problem);
  for (const run of check.unwritable) {
    yield `fsck: ${blocksText(run)}: cannot be written, since the hash tree ` +
      "is damaged there: left as it is";
  }
  const left = check.found - check.repaired;
  yield `fsck: ${printable(path)}: ${summary(check, left)}`;
  if (check.lacksSpace) {
    yield "fsck: too little free space for every repair: remove files, and " +
      "run -y again";
  }
  if (left === 0) return;
  const hasUnsafe = check.problems.some(({ code, repaired }) =>
    !repaired && !PROBLEM_KINDS[code].preen
  );
  if (mode === "check") {
    yield `fsck: nothing was changed: ${hasUnsafe ? "-y" : "-p"} repairs`;
  } else if (mode === "preen" && !check.changed) {
    yield "fsck: nothing was changed: not all of it is safe to repair; " +
      "-y repairs everything";
  }
}

function problemLine(problem: FoundProblem): string {
  const { code, message, repaired } = problem;
  const kind = PROBLEM_KINDS[code];
  const place = placeText(problem);
  const outcome = repaired
    ? "corrected"
    : kind.lost
    ? kind.repair
    : kind.note
    ? "no damage"
    : "not corrected";
  return `fsck: ${place}${message}: ${outcome}`;
}

function placeText({ inode, path, group, block }: FoundProblem): string {
  if (inode !== undefined) {
    return `inode ${inode}${path ? ` (${printable(path)})` : ""}: `;
  }
  if (group !== undefined) return `group ${group}: `;
  return block === undefined ? "superblock: " : `block ${block}: `;
}

function summary(check: CheckReport, left: number): string {
  const { counts, found } = check;
  if (!check.complete) {
    return "there are more problems than can be kept; -y repairs them";
  }
  const inUse = `${counts.inodes} of ${counts.inodesTotal} inodes and ` +
    `${counts.blocks} of ${counts.blocksTotal} blocks are in use`;
  if (found === 0) return `clean, ${inUse}`;
  const problems = found === 1 ? "1 problem" : `${found} problems`;
  const outcome = left === 0 ? "all corrected" : `${left} left`;
  return `${problems}, ${outcome}; ${inUse}`;
}

function toJson(check: CheckReport, bad: Findings["bad"]): unknown {
  const { problems, ...rest } = check;
  return {
    ...rest,
    bad: bad && { count: bad.count, ranges: bad.ranges },
    problems: problems.map(({ path, ...problem }) => ({
      ...problem,
      ...(path ? nameFields("path", path) : { path: null }),
      repair: PROBLEM_KINDS[problem.code].repair,
    })),
  };
}

function warn(message: string): void {
  console.error(`nextfs fsck: ${message}`);
}
