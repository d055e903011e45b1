/**
 * All commands, in the order of the help.
 *
 * @module
 */

import { cert } from "./cert.ts";
import { mkdir, mv, rm } from "./changing.ts";
import type { Command } from "./cli.ts";
import { dump } from "./dump.ts";
import { fsck } from "./fsck.ts";
import { get } from "./get.ts";
import { info } from "./info.ts";
import { init } from "./init.ts";
import { key } from "./key.ts";
import { ls, tree } from "./listing.ts";
import { ln } from "./ln.ts";
import { makefs } from "./makefs.ts";
import { makemerkle } from "./makemerkle.ts";
import { passwd } from "./passwd.ts";
import { put } from "./put.ts";
import { rekey } from "./rekey.ts";
import { serve } from "./serve.ts";
import { chmod, chown, touch, truncate } from "./setting.ts";
import { cat, df, stat } from "./showing.ts";
import { sync } from "./sync.ts";
import { verify } from "./verify.ts";

/** All commands. */
export const COMMANDS: readonly Command[] = [
  init,
  info,
  passwd,
  key,
  rekey,
  makefs,
  makemerkle,
  verify,
  fsck,
  dump,
  cert,
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
  sync,
];
