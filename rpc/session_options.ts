/**
 * Whom a session is for, and what it may use.
 *
 * @module
 */

import type { Credentials } from "../fs/attributes.ts";
import type { ForkedTables } from "./forked_tables.ts";
import type { IdMap } from "./id_map.ts";
import type { LockTable } from "./locks.ts";

/** What a client is entitled to. */
export interface Entitlement {
  /** The rule that gives it, for the log; empty if there are no rules. */
  readonly rule: string;
  /** Whom it acts for. */
  readonly credentials: Credentials;
  /** How it knows the volume's users and groups. */
  readonly ids: IdMap;
  /** Refuse changes. */
  readonly readOnly: boolean;
  /** The directory that it knows as its root, by inode number. */
  readonly root: number;
  /** Most requests in flight. */
  readonly maxInFlight: number;
  /** Most open files. */
  readonly maxDescriptors: number;
  /** Most locks, those that are waited for among them. */
  readonly maxLocks: number;
  /** Most forked tables that nobody has claimed. */
  readonly maxTables: number;
}

/** The same, with what sessions of one server have in common. */
export interface SessionOptions extends Entitlement {
  /** Longest frame of a request and of a reply, in bytes. */
  readonly maxFrame: number;
  /** Milliseconds without a request after which it is ended. */
  readonly idleTimeout: number;
  /** Fingerprint of the certificate that the client has shown, or empty. */
  readonly fingerprint: string;
  /** The locks of all sessions. */
  readonly locks: LockTable;
  /** The forked tables that nobody has claimed, of all sessions. */
  readonly tables: ForkedTables;
  /** Takes a line on what a client cannot be told. */
  readonly log: (message: string) => void;
}
