/**
 * Who may do what: rules by which a server treats whoever connects.
 *
 * The format and what it means stand in `docs/policy.md`.
 *
 * Invariants: rules are in the order of the policy and none is behind one that
 * matches all that it could; a rule's grant is one object as long as the
 * policy lives, so that what is counted by it is counted for all its clients.
 *
 * @module
 */

import { type Credentials, SUPERUSER } from "../fs/attributes.ts";
import { PolicyFields } from "./_policy_fields.ts";
import {
  ACCESS,
  type Conditions,
  readRule,
  type Rule,
} from "./_policy_rules.ts";
import {
  type Item,
  type PolicySource,
  readPolicyObject,
  readPolicyText,
} from "./_policy_source.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";
import { IdMap, type IdRanges } from "./id_map.ts";
import type { Peer } from "./peer.ts";

/** What clients may do: nothing, look, or change. */
export type PolicyAccess = "none" | "read" | "write";

/** What a policy says, as a program writes it; as JSON it is a file. */
export interface PolicyDefinition {
  /** The first that matches counts. */
  readonly rules: readonly PolicyRule[];
  /** What those may do whom no rule matches; `"none"` if absent. */
  readonly otherwise?: PolicyAccess;
}

/** A rule of a policy. */
export interface PolicyRule {
  /** What the log calls it, besides its number. */
  readonly name?: string;
  /** Whom it is about; of several conditions all must hold. */
  readonly match: PolicyMatch;
  /** What they may do. */
  readonly access: PolicyAccess;
  /** Absolute path of the directory that they see as `/`; `/` if absent. */
  readonly export?: string;
  /** Whom they act as, with ids of the volume; the superuser if absent. */
  readonly as?: Credentials;
  /** Which ids they see in the place of the volume's; the same if absent. */
  readonly map?: IdRanges;
  /** What they may use. */
  readonly limits?: PolicyLimits;
}

/** Whom a rule is about. */
export interface PolicyMatch {
  /** SHA-256 of the client's certificate, in hexadecimal digits. */
  readonly fingerprint?: string;
  /** The certificate's subject, such as `CN=alice,O=Example` (RFC 4514). */
  readonly subject?: string;
  /** The endpoint that they come in by, such as `unix:/run/x.sock`. */
  readonly socket?: string;
}

/** What clients of a rule may use; what is absent is up to the server. */
export interface PolicyLimits {
  /** Connections at a time, of all the rule's clients together. */
  readonly connections?: number;
  /** Open files of one connection. */
  readonly descriptors?: number;
  /** Locks of one connection. */
  readonly locks?: number;
  /** Descriptor tables of one connection. */
  readonly tables?: number;
  /** Requests in flight of one connection. */
  readonly inFlight?: number;
}

/** What a client may do. */
export interface Grant {
  /** The rule that gives it, for the log: `rule 2 (backup)`. */
  readonly rule: string;
  /** Whether changes are allowed. */
  readonly access: Exclude<PolicyAccess, "none">;
  /** Whom the session acts as, with ids of the volume. */
  readonly credentials: Credentials;
  /** The directory that is its root: an absolute path without `.` and `..`. */
  readonly exportPath: Uint8Array;
  /** Ids as the client sees them. */
  readonly ids: IdMap;
  /** What it may use. */
  readonly limits: PolicyLimits;
}

/** What {@link Policy.check} compares a policy with. */
export interface PolicySurroundings {
  /** Where the server listens, as it was told. */
  readonly endpoints: readonly Endpoint[];
  /** Whether a path of the volume is a directory, and no link leads there. */
  readonly isDirectory: (path: Uint8Array) => boolean;
}

/**
 * A policy that was checked.
 *
 * @example
 * ```ts
 * const policy = Policy.from({
 *   rules: [
 *     { match: { subject: "CN=backup" }, access: "read" },
 *     {
 *       match: { socket: "unix:/run/nextfs.sock" },
 *       access: "write",
 *       export: "/home",
 *       as: { uid: 1000, gid: 1000 },
 *     },
 *   ],
 * });
 * const server = new Server(fs, { policy });
 * ```
 */
export class Policy {
  readonly #fields: PolicyFields;
  readonly #rules: readonly Rule[];
  readonly #otherwise: Grant | null;

  private constructor(source: PolicySource) {
    const fields = new PolicyFields(source);
    const { rules, otherwise } = fields.object(
      fields.root,
      ["rules", "otherwise"],
      ["rules"],
    );
    const items = fields.array(rules!);
    this.#fields = fields;
    this.#rules = items.map((item, i) => readRule(fields, item, i + 1));
    checkReached(fields, items, this.#rules);
    const access = otherwise ? fields.choice(otherwise, ACCESS) : "none";
    this.#otherwise = access === "none" ? null : wholeVolume(access);
  }

  /**
   * Reads a policy from a text, UTF-8 if it is given as bytes: JSON, in which
   * there may be comments. `file` is its name in errors. Throws
   * {@link PolicyError}, whose message is `FILE:LINE:COLUMN: reason`.
   */
  static parse(content: string | Uint8Array, file: string): Policy {
    return new Policy(readPolicyText(content, file));
  }

  /**
   * Makes a policy of an object, with the same checks. Throws
   * {@link PolicyError}.
   */
  static from(definition: PolicyDefinition): Policy {
    return new Policy(readPolicyObject(definition));
  }

  /** What `peer` may do; null if nothing: it is not to be served. */
  grant(peer: Peer): Grant | null {
    const rule = this.#find(peer);
    return rule === undefined ? this.#otherwise : rule.grant;
  }

  /** Which rule is about `peer`, for the log: `rule 2 (backup)`. */
  ruleFor(peer: Peer): string {
    return this.#find(peer)?.title ?? OTHERWISE;
  }

  /**
   * Throws {@link PolicyError} for a rule about a socket where the server does
   * not listen, and for an exported path that is no directory: such a rule is
   * a slip of the pen.
   */
  check({ endpoints, isDirectory }: PolicySurroundings): void {
    for (const { match, grant, socketItem, exportItem } of this.#rules) {
      const { socket } = match;
      if (socket && !endpoints.some((one) => isSame(socket, one))) {
        const where = endpoints.map(formatEndpoint).join(", ");
        this.#fields.fail(
          socketItem!,
          `the server does not listen there, but at ${where}`,
        );
      }
      if (grant && exportItem && !isDirectory(grant.exportPath)) {
        this.#fields.fail(
          exportItem,
          "the volume has no directory at this path, or a symbolic link is " +
            "on the way to it",
        );
      }
    }
  }

  #find(peer: Peer): Rule | undefined {
    return this.#rules.find(({ match }) => isAbout(match, peer));
  }
}

/** What the log calls the lack of a rule. */
const OTHERWISE = "otherwise";

/** What `otherwise` gives. */
function wholeVolume(access: Grant["access"]): Grant {
  return {
    rule: OTHERWISE,
    access,
    credentials: SUPERUSER,
    exportPath: new TextEncoder().encode("/"),
    ids: IdMap.IDENTITY,
    limits: {},
  };
}

function isAbout(match: Conditions, { endpoint, certificate }: Peer): boolean {
  const { fingerprint, subject, socket } = match;
  return (fingerprint === undefined ||
    fingerprint === certificate?.fingerprint) &&
    (subject === undefined || subject === certificate?.subject) &&
    (socket === undefined || isSame(socket, endpoint));
}

/** Whether a rule's socket is `endpoint`; port 0 stands for any. */
function isSame(socket: Endpoint, endpoint: Endpoint): boolean {
  if (socket.kind === "unix" || endpoint.kind === "unix" || socket.port > 0) {
    return formatEndpoint(socket) === formatEndpoint(endpoint);
  }
  return socket.kind === endpoint.kind && socket.host === endpoint.host;
}

/** Throws for a rule behind one that matches all that it could match. */
function checkReached(
  fields: PolicyFields,
  items: readonly Item[],
  rules: readonly Rule[],
): void {
  const known = new Map<string, Rule>();
  rules.forEach((rule, i) => {
    const before = weakerThan(rule.match).map((key) => known.get(key))
      .find((found) => found !== undefined);
    if (before !== undefined) {
      fields.fail(items[i], `${before.title} matches first, always`);
    }
    known.set(keyOf(Object.entries(textsOf(rule.match))), rule);
  });
}

/** The keys of all sets of conditions that hold whenever `match` does. */
function weakerThan(match: Conditions): string[] {
  const conditions = Object.entries(textsOf(match));
  const sets: [string, string][][] = [[]];
  for (const one of conditions) sets.push(...sets.map((set) => [...set, one]));
  return sets.map(keyOf);
}

function textsOf({ socket, ...rest }: Conditions): Record<string, string> {
  return { ...rest, ...(socket ? { socket: formatEndpoint(socket) } : {}) };
}

function keyOf(conditions: readonly [string, string][]): string {
  return JSON.stringify(conditions);
}
