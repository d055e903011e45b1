/**
 * The structure check: finds where a volume breaks the rules of the format,
 * and repairs it.
 *
 * @module
 */

export { hasSuperblockCopy } from "./_superblock_copies.ts";
export { checkVolume } from "./check_volume.ts";
export {
  PROBLEM_KINDS,
  type ProblemCode,
  type ProblemKind,
  problemMessage,
  PROBLEMS,
  type ProblemValues,
} from "./problems.ts";
export * from "./report.ts";
