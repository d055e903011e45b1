/**
 * User and group ids as one client sees them, and as the volume has them.
 *
 * What idmapped mounts of Linux do, done here: ranges of ids stand for others,
 * and an id of the volume that none stands for is shown as nobody's. A map
 * only translates. What a session may do is decided with ids of the volume,
 * before anything is shown and after anything is taken.
 *
 * Invariants: ranges do not overlap, on either side; both tables hold the same
 * ranges, each in the order of its own side.
 *
 * @module
 */

import {
  ACL_NO_ID,
  ACL_TAG,
  type AclEntry,
  decodeAcl,
  encodeAcl,
} from "../fs/acl.ts";
import type { AttributeChanges, Attributes } from "../fs/attributes.ts";
import { FsError } from "../fs/errors.ts";
import { splitXattrName, XATTR_INDEX } from "../fs/xattr_names.ts";

/** The largest id: the one above stands for "none" in many calls. */
export const ID_MAX = 0xfffffffe;

/** Ids that no id of the client stands for are shown as this: nobody. */
export const OVERFLOW_ID = 65534;

/**
 * `count` ids from `client` on, as the client sees them, stand for as many
 * from `volume` on.
 */
export type IdRange = readonly [client: number, volume: number, count: number];

/** What an {@link IdMap} is made of; where ranges are absent, ids are equal. */
export interface IdRanges {
  /** Users. */
  readonly uid?: readonly IdRange[];
  /** Groups. */
  readonly gid?: readonly IdRange[];
}

/**
 * Two ranges of which one holds an id of the other, on the side of `side`; or
 * null. At most a few hundred ranges are expected.
 */
export function overlapOf(
  ranges: readonly IdRange[],
  side: "client" | "volume",
): readonly [number, number] | null {
  const first = side === "client" ? 0 : 1;
  const order = ranges.map((_, i) => i).sort((a, b) =>
    ranges[a][first] - ranges[b][first]
  );
  for (let i = 1; i < order.length; i++) {
    const before = ranges[order[i - 1]];
    if (before[first] + before[2] > ranges[order[i]][first]) {
      return [order[i - 1], order[i]];
    }
  }
  return null;
}

/** Translates in one direction. */
class Table {
  readonly #from: readonly number[];
  readonly #to: readonly number[];
  readonly #count: readonly number[];

  constructor(ranges: readonly IdRange[], from: 0 | 1) {
    const sorted = [...ranges].sort((a, b) => a[from] - b[from]);
    this.#from = sorted.map((range) => range[from]);
    this.#to = sorted.map((range) => range[1 - from]);
    this.#count = sorted.map((range) => range[2]);
  }

  /** What `id` stands for; undefined if it stands for none. */
  get(id: number): number | undefined {
    let low = 0;
    let high = this.#from.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#from[middle] <= id) low = middle + 1;
      else high = middle;
    }
    const offset = id - this.#from[low - 1];
    return offset < this.#count[low - 1]
      ? this.#to[low - 1] + offset
      : undefined;
  }
}

/** Both directions, of users or of groups. */
class Ids {
  readonly #toClient: Table | null;
  readonly #toVolume: Table | null;
  readonly #kind: "uid" | "gid";

  constructor(kind: "uid" | "gid", ranges?: readonly IdRange[]) {
    this.#toClient = ranges ? new Table(ranges, 1) : null;
    this.#toVolume = ranges ? new Table(ranges, 0) : null;
    this.#kind = kind;
  }

  get isIdentity(): boolean {
    return this.#toClient === null;
  }

  /** What the client knows `id` as; undefined if it does not know it. */
  toClient(id: number): number | undefined {
    return this.#toClient ? this.#toClient.get(id) : id;
  }

  /** What `id` stands for on the volume; throws `code` if it does not. */
  toVolume(id: number, code: "EINVAL" | "EOVERFLOW"): number {
    const found = this.#toVolume ? this.#toVolume.get(id) : id;
    if (found !== undefined) return found;
    throw new FsError(code, `${this.#kind} ${id} is not mapped to the volume`);
  }
}

/** See the module. */
export class IdMap {
  /** The map that changes nothing, and costs nothing. */
  static readonly IDENTITY: IdMap = new IdMap();

  readonly #users: Ids;
  readonly #groups: Ids;
  /** True if every id stands for itself. */
  readonly isIdentity: boolean;

  /** Makes a map. The ranges must not overlap, see {@link overlapOf}. */
  constructor({ uid, gid }: IdRanges = {}) {
    this.#users = new Ids("uid", uid);
    this.#groups = new Ids("gid", gid);
    this.isIdentity = this.#users.isIdentity && this.#groups.isIdentity;
  }

  /** A user of the volume as the client sees it. */
  uidToClient(uid: number): number {
    return this.#users.toClient(uid) ?? OVERFLOW_ID;
  }

  /** A group of the volume as the client sees it. */
  gidToClient(gid: number): number {
    return this.#groups.toClient(gid) ?? OVERFLOW_ID;
  }

  /** Attributes of the volume, as the client sees them. */
  toClient(attributes: Attributes): Attributes {
    if (this.isIdentity) return attributes;
    return {
      ...attributes,
      uid: this.uidToClient(attributes.uid),
      gid: this.gidToClient(attributes.gid),
    };
  }

  /**
   * Changes that the client asks for, in the volume's ids. Throws
   * {@link FsError} `EOVERFLOW` for an id that stands for none, as an idmapped
   * mount does.
   */
  toVolume(changes: AttributeChanges): AttributeChanges {
    const { uid, gid } = changes;
    if (this.isIdentity || (uid === undefined && gid === undefined)) {
      return changes;
    }
    const translated = { ...changes };
    if (uid !== undefined) {
      translated.uid = this.#users.toVolume(uid, "EOVERFLOW");
    }
    if (gid !== undefined) {
      translated.gid = this.#groups.toVolume(gid, "EOVERFLOW");
    }
    return translated;
  }

  /**
   * The value of the extended attribute `name` as the client sees it: ids in
   * access control lists are translated, and other values stay. An id that the
   * client does not know is {@link ACL_NO_ID} there, as Linux has it, and not
   * nobody's: so a list that is read, changed and put back never gives nobody
   * somebody else's right.
   */
  xattrToClient(name: Uint8Array, value: Uint8Array): Uint8Array {
    return this.#translated(
      name,
      value,
      (ids, id) => ids.toClient(id) ?? ACL_NO_ID,
    );
  }

  /**
   * The same in the other direction. Throws {@link FsError} `EINVAL` for an id
   * that stands for none, as Linux does, and what `decodeAcl()` throws for a
   * value that is no list.
   */
  xattrToVolume(name: Uint8Array, value: Uint8Array): Uint8Array {
    return this.#translated(
      name,
      value,
      (ids, id) => ids.toVolume(id, "EINVAL"),
    );
  }

  #translated(
    name: Uint8Array,
    value: Uint8Array,
    translate: (ids: Ids, id: number) => number,
  ): Uint8Array {
    if (this.isIdentity || value.length === 0 || !isAclName(name)) return value;
    return encodeAcl(
      decodeAcl(value).map((entry): AclEntry => {
        const { tag, id } = entry;
        if (tag === ACL_TAG.user) {
          return { ...entry, id: translate(this.#users, id) };
        }
        if (tag === ACL_TAG.group) {
          return { ...entry, id: translate(this.#groups, id) };
        }
        return entry;
      }),
    );
  }
}

/** Throws {@link FsError} for what is no name of an attribute. */
function isAclName(name: Uint8Array): boolean {
  const { index } = splitXattrName(name);
  return index === XATTR_INDEX.aclAccess || index === XATTR_INDEX.aclDefault;
}
