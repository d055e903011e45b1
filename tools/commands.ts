/**
 * All commands, in the order of the help.
 *
 * @module
 */

import { mkdir, mv, rm } from "./changing.ts";
import type { Command } from "./cli.ts";
import { get } from "./get.ts";
import { ls, tree } from "./listing.ts";
import { ln } from "./ln.ts";
import { makefs } from "./makefs.ts";
import { put } from "./put.ts";
import { serve } from "./serve.ts";
import { chmod, chown, touch, truncate } from "./setting.ts";
import { cat, df, stat } from "./showing.ts";

/** All commands. */
export const COMMANDS: readonly Command[] = [
  makefs,
  serve,
  ls,
  tree,
  cat,
  stat,
  df,
  put,
  get,
  mkdir,
  rm,
  mv,
  ln,
  chmod,
  chown,
  touch,
  truncate,
];
