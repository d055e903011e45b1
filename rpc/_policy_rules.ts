/**
 * The rules of a policy, read one by one.
 *
 * @module
 */

import type { Credentials } from "../fs/attributes.ts";
import { SUPERUSER } from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import { NAME_MAX } from "../fs/geometry.ts";
import { PATH_MAX } from "../fs/paths.ts";
import { listed, type PolicyFields, quoted } from "./_policy_fields.ts";
import type { Item } from "./_policy_source.ts";
import { canonicalName, NameError } from "./distinguished_name.ts";
import { type Endpoint, formatEndpoint, parseEndpoint } from "./endpoint.ts";
import { ID_MAX, IdMap, type IdRange, overlapOf } from "./id_map.ts";
import { IN_FLIGHT_MAX } from "./limits.ts";
import type { Grant, PolicyAccess, PolicyLimits } from "./policy.ts";

/** What may be given. */
export const ACCESS: readonly PolicyAccess[] = ["none", "read", "write"];

/** The conditions of a rule, of which all that are there must hold. */
export interface Conditions {
  /** SHA-256 of the certificate, 64 lower-case hexadecimal digits. */
  readonly fingerprint?: string;
  /** The certificate's subject, as `formatName()` writes it. */
  readonly subject?: string;
  /** The endpoint; port 0 stands for any. */
  readonly socket?: Endpoint;
}

/** A rule that was read. */
export interface Rule {
  /** What it is called in the log. */
  readonly title: string;
  /** Whom it is about. */
  readonly match: Conditions;
  /** What it gives; null for nothing. */
  readonly grant: Grant | null;
  /** Where the socket stands, for errors. */
  readonly socketItem?: Item;
  /** Where the exported path stands, for errors. */
  readonly exportItem?: Item;
}

const RULE_KEYS = [
  ...(["name", "match", "access", "export", "as", "map", "limits"] as const),
] as const;
const MATCH_KEYS = ["fingerprint", "subject", "socket"] as const;
const KINDS_OF_ID = ["uid", "gid"] as const;

/** The longest name of a rule, in UTF-16 units. */
const RULE_NAME_MAX = 64;

/** So many ranges Linux takes, too: user_namespaces(7). */
const RANGES_MAX = 340;

/** So many groups Linux takes, too (`NGROUPS_MAX`). */
const GROUPS_MAX = 65536;

/** The largest limit that can be set, where nothing else bounds it. */
const LIMIT_MAX = 1 << 20;

/** The limits, each with the least and the most that it can be. */
export const LIMITS: Readonly<
  Record<keyof PolicyLimits, readonly [least: number, most: number]>
> = {
  connections: [1, LIMIT_MAX],
  descriptors: [1, LIMIT_MAX],
  locks: [0, LIMIT_MAX],
  tables: [1, LIMIT_MAX],
  inFlight: [1, IN_FLIGHT_MAX],
};

/** Reads a rule, the `number`th from 1. Throws {@link PolicyError}. */
export function readRule(
  fields: PolicyFields,
  item: Item,
  number: number,
): Rule {
  const rule = fields.object(item, RULE_KEYS, ["match", "access"]);
  const title = ruleTitle(fields, rule.name, number);
  const match = readMatch(fields, rule.match!);
  const access = fields.choice(rule.access!, ACCESS);
  const { socket: socketItem } = fields.object(rule.match!, MATCH_KEYS);
  if (access === "none") {
    for (const key of ["export", "as", "map", "limits"] as const) {
      const idle = rule[key];
      if (idle) fields.fail(idle, `"${key}" says nothing without access`);
    }
    return { title, match, grant: null, socketItem };
  }
  const credentials = readCredentials(fields, rule.as);
  const grant: Grant = {
    rule: title,
    access,
    credentials,
    exportPath: readExport(fields, rule.export),
    ids: readMap(fields, rule.map, credentials),
    limits: readLimits(fields, rule.limits),
  };
  return { title, match, grant, socketItem, exportItem: rule.export };
}

function ruleTitle(
  fields: PolicyFields,
  item: Item | undefined,
  number: number,
): string {
  if (item === undefined) return `rule ${number}`;
  const name = fields.text(item);
  if (name.length > RULE_NAME_MAX || name.trim() === "") {
    fields.fail(item, `a name has 1 to ${RULE_NAME_MAX} characters`);
  }
  if (/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u.test(name)) {
    fields.fail(item, "a name has no control characters");
  }
  return `rule ${number} (${name})`;
}

function readMatch(fields: PolicyFields, item: Item): Conditions {
  const { fingerprint, subject, socket } = fields.object(item, MATCH_KEYS);
  if (!fingerprint && !subject && !socket) {
    fields.fail(item, `expected ${listed(MATCH_KEYS, "or")} in it`);
  }
  const match = {
    ...(fingerprint
      ? { fingerprint: readFingerprint(fields, fingerprint) }
      : {}),
    ...(subject ? { subject: readSubject(fields, subject) } : {}),
    ...(socket ? { socket: readSocket(fields, socket) } : {}),
  };
  if (match.socket?.kind === "tcp" && (fingerprint || subject)) {
    fields.fail(socket!, "at a tcp: endpoint nobody shows a certificate");
  }
  return match;
}

function readFingerprint(fields: PolicyFields, item: Item): string {
  const text = fields.text(item);
  if (
    /^(?:[0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31})$/.test(text)
  ) {
    return text.replaceAll(":", "").toLowerCase();
  }
  const isSha1 = /^(?:[0-9A-Fa-f]:?){40}$/.test(text);
  return fields.fail(
    item,
    isSha1
      ? "this is a fingerprint by SHA-1; SHA-256 has 64 digits"
      : "a fingerprint by SHA-256 has 64 hexadecimal digits, with or " +
        "without a colon after every second",
  );
}

function readSubject(fields: PolicyFields, item: Item): string {
  const text = fields.text(item);
  let canonical: string;
  try {
    canonical = canonicalName(text);
  } catch (error) {
    if (!(error instanceof NameError)) throw error;
    return fields.fail(
      item,
      `this is no subject such as "CN=alice,O=Example": ${error.message}`,
    );
  }
  if (canonical === text) return text;
  return fields.fail(item, `write it as ${JSON.stringify(canonical)}`);
}

function readSocket(fields: PolicyFields, item: Item): Endpoint {
  const text = fields.text(item);
  let endpoint: Endpoint;
  try {
    endpoint = parseEndpoint(text);
  } catch (error) {
    if (!(error instanceof FsError)) throw error;
    const [reason] = error.message.split(": ").slice(-1);
    return fields.fail(item, `this is no endpoint: ${reason}`);
  }
  const canonical = formatEndpoint(endpoint);
  if (canonical === text) return endpoint;
  return fields.fail(item, `write it as ${quoted(canonical)}`);
}

const encoder = new TextEncoder();

function readExport(fields: PolicyFields, item?: Item): Uint8Array {
  if (item === undefined) return encoder.encode("/");
  const text = fields.text(item);
  const path = encoder.encode(text);
  const names = text.split("/").slice(1);
  if (!text.startsWith("/")) {
    fields.fail(item, "the path is absolute: it begins with /");
  }
  if (text !== "/") {
    for (const name of names) checkName(fields, item, name);
  }
  if (path.length > PATH_MAX) {
    fields.fail(item, `a path has ${PATH_MAX} bytes at most`);
  }
  return path;
}

function checkName(fields: PolicyFields, item: Item, name: string): void {
  if (name === "") {
    fields.fail(item, "the path has one / between names, and none at its end");
  }
  if (name === "." || name === "..") {
    fields.fail(item, `the path has no "${name}" in it`);
  }
  if (name.includes("\0") || !name.isWellFormed()) {
    fields.fail(item, "the path holds a character that no name has");
  }
  if (encoder.encode(name).length > NAME_MAX) {
    fields.fail(item, `a name has ${NAME_MAX} bytes at most`);
  }
}

function readCredentials(fields: PolicyFields, item?: Item): Credentials {
  if (item === undefined) return SUPERUSER;
  const { uid, gid, groups } = fields.object(item, [
    ...["uid", "gid", "groups"] as const,
  ], ["uid", "gid"]);
  const list = groups ? fields.array(groups) : [];
  if (list.length > GROUPS_MAX) {
    fields.fail(groups!, `there are more than ${GROUPS_MAX} groups`);
  }
  return {
    uid: fields.integer(uid!, 0, ID_MAX),
    gid: fields.integer(gid!, 0, ID_MAX),
    groups: list.map((group) => fields.integer(group, 0, ID_MAX)),
  };
}

function readMap(
  fields: PolicyFields,
  item: Item | undefined,
  credentials: Credentials,
): IdMap {
  if (item === undefined) return IdMap.IDENTITY;
  const kinds = fields.object(item, KINDS_OF_ID);
  if (!kinds.uid && !kinds.gid) {
    fields.fail(item, `expected ${listed(KINDS_OF_ID, "or")} in it`);
  }
  const ranges = {
    uid: kinds.uid && readRanges(fields, kinds.uid),
    gid: kinds.gid && readRanges(fields, kinds.gid),
  };
  for (const kind of KINDS_OF_ID) {
    const id = credentials[kind];
    const isKnown = ranges[kind]?.some(([, volume, count]) =>
      id >= volume && id - volume < count
    );
    if (isKnown ?? true) continue;
    fields.fail(
      kinds[kind]!,
      `no range has the volume's ${kind} ${id}, which the session acts with ` +
        'and new files get; add one, or give another by "as"',
    );
  }
  return new IdMap(ranges);
}

function readRanges(fields: PolicyFields, item: Item): IdRange[] {
  const items = fields.array(item);
  if (items.length === 0 || items.length > RANGES_MAX) {
    fields.fail(item, `a map has 1 to ${RANGES_MAX} ranges`);
  }
  const ranges = items.map((range) => readRange(fields, range));
  for (const side of ["client", "volume"] as const) {
    const overlap = overlapOf(ranges, side);
    if (overlap === null) continue;
    const [first, second] = [...overlap].sort((a, b) => a - b);
    fields.fail(
      items[second],
      `on the ${side}'s side it overlaps range ${first + 1} of this map`,
    );
  }
  return ranges;
}

function readRange(fields: PolicyFields, item: Item): IdRange {
  const numbers = fields.array(item);
  if (numbers.length !== 3) {
    fields.fail(
      item,
      "a range is [first id of the client, first id of the volume, count]",
    );
  }
  const client = fields.integer(numbers[0], 0, ID_MAX);
  const volume = fields.integer(numbers[1], 0, ID_MAX);
  const most = ID_MAX + 1 - Math.max(client, volume);
  return [client, volume, fields.integer(numbers[2], 1, most)];
}

function readLimits(fields: PolicyFields, item?: Item): PolicyLimits {
  if (item === undefined) return {};
  const keys = Object.keys(LIMITS) as (keyof PolicyLimits)[];
  const found = Object.entries(fields.object(item, keys));
  return Object.fromEntries(found.map(([key, limit]) => {
    const [least, most] = LIMITS[key as keyof PolicyLimits];
    return [key, fields.integer(limit, least, most)];
  }));
}
