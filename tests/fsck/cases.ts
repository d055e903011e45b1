/**
 * Every damage case.
 *
 * @module
 */

import type { DamageCase } from "./case.ts";
import { BLOCK_CASES } from "./cases_blocks.ts";
import { CONNECTIVITY_CASES } from "./cases_connectivity.ts";
import { DEBUGFS_CASES } from "./cases_debugfs.ts";
import { DIRECTORY_CASES } from "./cases_directories.ts";
import { INODE_CASES } from "./cases_inodes.ts";
import { UNREADABLE_CASES } from "./cases_unreadable.ts";
import { VOLUME_CASES } from "./cases_volume.ts";

/** All cases, in about the order of the table of problems. */
export const CASES: readonly DamageCase[] = [
  ...VOLUME_CASES,
  ...INODE_CASES,
  ...BLOCK_CASES,
  ...DIRECTORY_CASES,
  ...CONNECTIVITY_CASES,
  ...UNREADABLE_CASES,
  ...DEBUGFS_CASES,
];
