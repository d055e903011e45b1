/**
 * All cases of the suite.
 *
 * @module
 */

import type { Case } from "./case.ts";
import { FILE_CASES } from "./files.ts";
import { GENERATED } from "./generated.ts";
import { LOCK_CASES } from "./locks.ts";
import { NAME_CASES } from "./names.ts";
import { NODE_CASES } from "./nodes.ts";
import { ORIGINAL_ATTRIBUTE_CASES } from "./original_attributes.ts";
import { ORIGINAL_DIRECTORY_CASES } from "./original_directories.ts";
import { ORIGINAL_FILE_CASES } from "./original_files.ts";
import { ORIGINAL_SESSION_CASES } from "./original_session.ts";
import { RANGE_CASES } from "./ranges.ts";
import { SESSION_CASES } from "./session.ts";
import { XATTR_CASES } from "./xattrs.ts";

/** See the module. */
export const CASES: readonly Case[] = [
  ...GENERATED,
  ...NODE_CASES,
  ...NAME_CASES,
  ...XATTR_CASES,
  ...FILE_CASES,
  ...RANGE_CASES,
  ...LOCK_CASES,
  ...SESSION_CASES,
  ...ORIGINAL_FILE_CASES,
  ...ORIGINAL_DIRECTORY_CASES,
  ...ORIGINAL_ATTRIBUTE_CASES,
  ...ORIGINAL_SESSION_CASES,
];
