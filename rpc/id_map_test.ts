import { deepEqual, equal, throws } from "node:assert/strict";
import { ACL_NO_ID, ACL_TAG, decodeAcl, encodeAcl } from "../fs/acl.ts";
import type { Attributes } from "../fs/attributes.ts";
import { IdMap, type IdRange, OVERFLOW_ID, overlapOf } from "./id_map.ts";

const NOW = { sec: 1, nsec: 2 };

function attributes(uid: number, gid: number): Attributes {
  return {
    ...{ ino: 12, generation: 3, mode: 0o100644, nlink: 1, uid, gid },
    ...{ rdev: { major: 0, minor: 0 }, size: 5, blocks: 8 },
    ...{ atime: NOW, mtime: NOW, ctime: NOW, birthtime: null, flags: 0 },
  };
}

const name = (text: string): Uint8Array => new TextEncoder().encode(text);
const ACCESS = name("system.posix_acl_access");
const DEFAULT = name("system.posix_acl_default");

const map = new IdMap({
  uid: [[0, 100_000, 65_536], [70_000, 5, 1], [70_001, 1_000, 10]],
  gid: [[100, 20, 1]],
});

Deno.test("toClient() shows mapped ids, and others as nobody's", () => {
  const seen = (uid: number, gid: number): number[] => {
    const given = attributes(uid, gid);
    const shown = map.toClient(given);
    deepEqual({ ...shown, uid, gid }, given, "nothing else changes");
    return [shown.uid, shown.gid];
  };
  deepEqual(seen(100_000, 20), [0, 100]);
  deepEqual(seen(165_535, 21), [65_535, OVERFLOW_ID]);
  deepEqual(seen(165_536, 19), [OVERFLOW_ID, OVERFLOW_ID]);
  deepEqual(seen(99_999, 20), [OVERFLOW_ID, 100]);
  deepEqual(seen(5, 20), [70_000, 100]);
  deepEqual(seen(1_009, 20), [70_010, 100]);
  deepEqual(seen(1_010, 20), [OVERFLOW_ID, 100]);
  deepEqual(seen(0, 0), [OVERFLOW_ID, OVERFLOW_ID]);
  deepEqual(seen(0xffffffff, 0xffffffff), [OVERFLOW_ID, OVERFLOW_ID]);
});

Deno.test("toVolume() takes mapped ids, and refuses others", () => {
  deepEqual(map.toVolume({ uid: 1, gid: 100, mode: 0o600 }), {
    ...{ uid: 100_001, gid: 20, mode: 0o600 },
  });
  deepEqual(map.toVolume({ uid: 70_000 }), { uid: 5 });
  const sizeOnly = { size: 7 };
  equal(map.toVolume(sizeOnly), sizeOnly);
  for (const changes of [{ uid: 65_536 }, { gid: 0 }, { uid: 0xffffffff }]) {
    throws(() => map.toVolume(changes), { code: "EOVERFLOW" });
  }
  throws(() => map.toVolume({ uid: OVERFLOW_ID + 2, gid: 100 }), {
    message: /uid 65536 is not mapped to the volume/,
  });
});

Deno.test("every id comes back as what it was", () => {
  for (const uid of [0, 1, 65_535, 70_000, 70_001, 70_010]) {
    const { uid: stored } = map.toVolume({ uid });
    equal(map.uidToClient(stored!), uid);
  }
});

Deno.test("an identity map hands through what it is given", () => {
  const given = attributes(1, 2);
  const changes = { uid: 5 };
  const value = new Uint8Array(3);
  equal(IdMap.IDENTITY.toClient(given), given);
  equal(IdMap.IDENTITY.toVolume(changes), changes);
  equal(IdMap.IDENTITY.xattrToClient(ACCESS, value), value);
  equal(IdMap.IDENTITY.xattrToVolume(ACCESS, value), value);
});

Deno.test("a map of users alone leaves groups as they are", () => {
  const users = new IdMap({ uid: [[0, 10, 1]] });
  equal(users.isIdentity, false);
  equal(users.gidToClient(7), 7);
  deepEqual(users.toVolume({ uid: 0, gid: 7 }), { uid: 10, gid: 7 });
});

const NONE = ACL_NO_ID;

function acl(user: number, group: number): Uint8Array {
  return encodeAcl([
    { tag: ACL_TAG.userObject, permissions: 7, id: NONE },
    { tag: ACL_TAG.user, permissions: 6, id: user },
    { tag: ACL_TAG.groupObject, permissions: 5, id: NONE },
    { tag: ACL_TAG.group, permissions: 4, id: group },
    { tag: ACL_TAG.mask, permissions: 7, id: NONE },
    { tag: ACL_TAG.other, permissions: 0, id: NONE },
  ]);
}

Deno.test("the ids of access control lists are translated", () => {
  for (const which of [ACCESS, DEFAULT]) {
    deepEqual(map.xattrToClient(which, acl(100_007, 20)), acl(7, 100));
    deepEqual(map.xattrToVolume(which, acl(7, 100)), acl(100_007, 20));
    const none = new Uint8Array(0);
    equal(map.xattrToVolume(which, none), none, "an empty value removes it");
  }
});

Deno.test("a list with an id that is not mapped cannot be put back", () => {
  const shown = map.xattrToClient(ACCESS, acl(3, 20));
  deepEqual(shown, acl(ACL_NO_ID, 100));
  throws(() => decodeAcl(shown), { code: "EINVAL" });
  throws(() => map.xattrToVolume(ACCESS, shown), { code: "EINVAL" });
  throws(() => map.xattrToVolume(ACCESS, acl(7, 99)), { code: "EINVAL" });
});

Deno.test("what is no list is refused, and other attributes stay", () => {
  const value = Uint8Array.of(1, 2, 3);
  throws(() => map.xattrToVolume(ACCESS, value), { code: "EINVAL" });
  equal(map.xattrToVolume(name("user.system.posix_acl_access"), value), value);
  equal(map.xattrToClient(name("user.x"), value), value);
});

Deno.test("overlapOf() finds two ranges that share an id", () => {
  const ranges: IdRange[] = [[10, 0, 5], [0, 100, 10], [15, 50, 1]];
  equal(overlapOf(ranges, "client"), null);
  equal(overlapOf(ranges, "volume"), null);
  deepEqual(overlapOf([...ranges, [14, 200, 1]], "client"), [0, 3]);
  deepEqual(overlapOf([...ranges, [20, 109, 3]], "volume"), [1, 3]);
});
