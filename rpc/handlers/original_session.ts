/**
 * Handlers: the original's operations on devices, mounts and tables of open
 * files.
 *
 * @module
 */
// The names are the original's.
// deno-lint-ignore-file camelcase

import { commit } from "../commit.ts";
import { FsError } from "../../fs/errors.ts";
import type { Session } from "../session.ts";
import type { HandlersOf } from "./handler.ts";

/** The names of the operations that are handled here. */
type Names =
  | "device_register"
  | "mount"
  | "umount"
  | "mount_point_stats"
  | "cache_write_back"
  | "fork"
  | "child_attach"
  | "new_fdtable";

/** See the module. */
export const ORIGINAL_SESSION_HANDLERS: HandlersOf<Names> = {
  device_register: (session, { device }) => {
    session.mounts.register(device);
    return {};
  },

  mount: (session, { device, mountPoint }) => {
    session.mounts.mount(device, mountPoint);
    return {};
  },

  umount: (session, { mountPoint }) => {
    const mount = session.mounts.at(mountPoint);
    if (session.descriptors.uses(mount)) {
      throw new FsError("EBUSY", "files that were opened there are open");
    }
    session.mounts.umount(mount);
    return {};
  },

  mount_point_stats: (session, { mountPoint }) => {
    session.mounts.at(mountPoint);
    const { readOnly } = session.files;
    return { statistics: { ...session.fs.statfs(), readOnly } };
  },

  cache_write_back: (session, { mountPoint, on }) => {
    session.mounts.setWriteBack(session.mounts.at(mountPoint), on);
    return on ? {} : commit(session);
  },

  fork: (session) => {
    const id = session.options.tables.fork(session.descriptors.copy(), {
      client: clientOf(session),
      from: session.descriptors,
      limit: session.options.maxTables,
    });
    return { id };
  },

  child_attach: (session, { id }) => {
    session.options.tables.claim(id, clientOf(session), (table) => {
      session.descriptors.adopt(table);
    });
    return {};
  },

  new_fdtable: (session) => {
    for (const descriptor of session.descriptors.numbers) {
      try {
        session.closeDescriptor(descriptor);
      } catch (error) {
        session.report(
          "Cannot close a file of a table that is given up",
          error,
        );
      }
    }
    return {};
  },
};

/**
 * What tells a client from others. Whoever claims a table gets files that are
 * open: all must be equal that decides what a session may open by itself.
 */
function clientOf({ options }: Session): string {
  const { fingerprint, rule, credentials, root, readOnly } = options;
  const { uid, gid, groups = [] } = credentials;
  return JSON.stringify([fingerprint, rule, uid, gid, groups, root, readOnly]);
}
