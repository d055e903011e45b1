/**
 * Who may connect, as whom, and how many at a time.
 *
 * Invariant: a rule's count is that of its sessions that have not left.
 *
 * @module
 */

import { type Attributes, S_IFDIR, S_IFMT } from "../fs/attributes.ts";
import { SUPERUSER } from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import { type Filesystem, Paths, ROOT_INODE } from "../fs/mod.ts";
import { IdMap } from "./id_map.ts";
import type { Peer } from "./peer.ts";
import type { Grant, Policy } from "./policy.ts";
import type { Entitlement } from "./session_options.ts";

/** What a session may use where no rule says anything else. */
export type Allowance = Pick<
  Entitlement,
  "maxInFlight" | "maxDescriptors" | "maxLocks" | "maxTables"
>;

/** See the module. */
export class Admission {
  readonly #fs: Filesystem;
  readonly #policy: Policy | undefined;
  readonly #allowance: Allowance;
  readonly #connections = new Map<string, number>();

  /** Admits to `fs` by `policy`; without one, everybody as the superuser. */
  constructor(
    fs: Filesystem,
    { policy, allowance }: { policy?: Policy; allowance: Allowance },
  ) {
    this.#fs = fs;
    this.#policy = policy;
    this.#allowance = allowance;
  }

  /**
   * What `peer` may do. {@link leave} is to be called with the result when its
   * connection has ended. Throws {@link FsError} for what it is to be told:
   * `EACCES` if it may do nothing, `EAGAIN` if too many of its rule are there,
   * and `ENOENT` if the directory that it would see does not exist.
   */
  admit(peer: Peer): Entitlement {
    const policy = this.#policy;
    if (policy === undefined) return this.#everything();
    const grant = policy.grant(peer);
    if (grant === null) {
      throw new FsError("EACCES", "the server's policy does not admit you");
    }
    const { rule, limits } = grant;
    const count = this.#connections.get(rule) ?? 0;
    if (count >= (limits.connections ?? Infinity)) {
      throw new FsError("EAGAIN", `${count} connections of your rule are open`);
    }
    const root = this.#rootOf(grant);
    this.#connections.set(rule, count + 1);
    return {
      rule,
      credentials: grant.credentials,
      ids: grant.ids,
      readOnly: grant.access === "read" || this.#fs.readOnly,
      root,
      maxInFlight: limits.inFlight ?? this.#allowance.maxInFlight,
      maxDescriptors: limits.descriptors ?? this.#allowance.maxDescriptors,
      maxLocks: limits.locks ?? this.#allowance.maxLocks,
      maxTables: limits.tables ?? this.#allowance.maxTables,
    };
  }

  /** What the log says of the rule that `peer` falls under; often nothing. */
  ruleFor(peer: Peer): string {
    return this.#policy ? ` (${this.#policy.ruleFor(peer)})` : "";
  }

  /** The connection of an admitted peer has ended. */
  leave({ rule }: Entitlement): void {
    const count = this.#connections.get(rule);
    if (count === undefined) return;
    if (count > 1) this.#connections.set(rule, count - 1);
    else this.#connections.delete(rule);
  }

  #everything(): Entitlement {
    return {
      ...this.#allowance,
      rule: "",
      credentials: SUPERUSER,
      ids: IdMap.IDENTITY,
      readOnly: this.#fs.readOnly,
      root: ROOT_INODE,
    };
  }

  /** The directory that a rule's sessions know as their root. */
  #rootOf({ exportPath }: Grant): number {
    let found: Attributes;
    try {
      found = new Paths(this.#fs).stat(exportPath);
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      throw new FsError("ENOENT", "the directory that you would see");
    }
    if ((found.mode & S_IFMT) === S_IFDIR) return found.ino;
    throw new FsError("ENOENT", "what you would see is no directory");
  }
}
