/**
 * Handlers: the operations of the original server, by path and by descriptors
 * with a position.
 *
 * @module
 */

import type { ORIGINAL_OPERATIONS } from "../operations/original.ts";
import type { HandlersOf } from "./handler.ts";
import { ORIGINAL_ATTRIBUTE_HANDLERS } from "./original_attributes.ts";
import { ORIGINAL_DIRECTORY_HANDLERS } from "./original_directories.ts";
import { ORIGINAL_FILE_HANDLERS } from "./original_files.ts";
import { ORIGINAL_SESSION_HANDLERS } from "./original_session.ts";

/** See the module. */
export const ORIGINAL_HANDLERS: HandlersOf<keyof typeof ORIGINAL_OPERATIONS> = {
  ...ORIGINAL_SESSION_HANDLERS,
  ...ORIGINAL_FILE_HANDLERS,
  ...ORIGINAL_DIRECTORY_HANDLERS,
  ...ORIGINAL_ATTRIBUTE_HANDLERS,
};
