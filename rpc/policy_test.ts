import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { parseEndpoint } from "./endpoint.ts";
import type { Peer } from "./peer.ts";
import { Policy, type PolicyDefinition } from "./policy.ts";
import { POLICY_MAX, PolicyError } from "./policy_error.ts";

const PRINT = "0123456789abcdef".repeat(4);
const COLONS = PRINT.toUpperCase().match(/../g)!.join(":");

/** Somebody at `endpoint`, with a certificate if there is a subject. */
function peer(endpoint: string, subject?: string, fingerprint = PRINT): Peer {
  const certificate = subject === undefined
    ? undefined
    : { subject, fingerprint };
  return { endpoint: parseEndpoint(endpoint), certificate };
}

/** A policy with one rule, which begins in line 3, column 5. */
const one = (rule: string): string => `{\n  "rules": [\n    ${rule}\n  ]\n}\n`;
const unix = (rest: string): string =>
  one(`{"match": {"socket": "unix:x"}, "access": "write", ${rest}}`);
const matching = (match: string): string =>
  one(`{"match": {${match}}, "access": "read"}`);

function assertRefused(text: string, place: string, reason: RegExp): void {
  throws(() => Policy.parse(text, "p.json"), (error) => {
    ok(error instanceof PolicyError, String(error));
    equal(error.place, `p.json:${place}`, error.message);
    ok(reason.test(error.reason), error.reason);
    equal(error.message, `${error.place}: ${error.reason}`);
    ok(!error.message.includes("\n"), "one line");
    return true;
  });
}

Deno.test("the first rule that matches counts", () => {
  const policy = Policy.parse(
    `// Comments are welcome.
    {"rules": [
      {"name": "one machine", "match": {"fingerprint": "${COLONS}"},
       "access": "write", "export": "/srv/a",
       "as": {"uid": 1000, "gid": 100, "groups": [4, 20]},
       "limits": {"connections": 2, "descriptors": 10, "locks": 0,
                  "tables": 1, "inFlight": 4}},
      {"match": {"subject": "CN=alice", "socket": "tls:0.0.0.0:7000"},
       "access": "read"},
      {"match": {"subject": "CN=mallory"}, "access": "none"}, /* out */
      {"match": {"socket": "unix:@x"}, "access": "write"}
    ]}`,
    "p.json",
  );
  const tls = "tls:0.0.0.0:7000";
  const first = policy.grant(peer(tls, "CN=alice"))!;
  const { ids, exportPath, ...rest } = first;
  deepEqual(rest, {
    rule: "rule 1 (one machine)",
    access: "write",
    credentials: { uid: 1000, gid: 100, groups: [4, 20] },
    limits: {
      ...{ connections: 2, descriptors: 10, locks: 0 },
      tables: 1,
      inFlight: 4,
    },
  });
  equal(new TextDecoder().decode(exportPath), "/srv/a");
  equal(ids.isIdentity, true);
  equal(policy.grant(peer("unix:y", "CN=bob")), first, "the same each time");

  const other = "f".repeat(64);
  const second = policy.grant(peer(tls, "CN=alice", other))!;
  deepEqual(
    [second.rule, second.access, second.credentials, second.limits],
    ["rule 2", "read", { uid: 0, gid: 0 }, {}],
  );
  equal(new TextDecoder().decode(second.exportPath), "/");
  equal(policy.grant(peer("tls:0.0.0.0:7001", "CN=alice", other)), null);
  equal(policy.grant(peer(tls, "CN=mallory", other)), null);
  equal(policy.ruleFor(peer(tls, "CN=mallory", other)), "rule 3");
  equal(policy.grant(peer(tls, "CN=mallory,O=x", other)), null);
  equal(policy.ruleFor(peer(tls, "CN=mallory,O=x", other)), "otherwise");
  equal(policy.grant(peer("unix:@x"))!.rule, "rule 4");
  equal(policy.grant(peer("unix:x")), null, "a file is no abstract name");
});

Deno.test("whom no rule matches gets what is left for them", () => {
  const none = Policy.from({ rules: [] });
  equal(none.grant(peer("unix:x")), null);
  const read = Policy.from({ rules: [], otherwise: "read" });
  const grant = read.grant(peer("tcp:127.0.0.1:1"))!;
  deepEqual([grant.rule, grant.access], ["otherwise", "read"]);
  deepEqual(grant.credentials, { uid: 0, gid: 0 });
});

Deno.test("port 0 stands for any port", () => {
  const policy = Policy.from({
    rules: [{ match: { socket: "tls:localhost:0" }, access: "read" }],
  });
  equal(policy.grant(peer("tls:localhost:4711", "CN=x"))?.access, "read");
  equal(policy.grant(peer("tls:127.0.0.1:4711", "CN=x")), null);
  equal(policy.grant(peer("tcp:localhost:4711")), null);
});

Deno.test("ids are mapped as the rule says", () => {
  const { ids } = Policy.parse(
    unix(`"as": {"uid": 1000, "gid": 7},
      "map": {"uid": [[0, 1000, 5], [5, 10, 1]], "gid": [[7, 7, 1]]}`),
    "p.json",
  ).grant(peer("unix:x"))!;
  deepEqual(ids.toVolume({ uid: 5, gid: 7 }), { uid: 10, gid: 7 });
  equal(ids.uidToClient(1004), 4);
});

Deno.test("what is no JSON is refused at its place", () => {
  assertRefused("", "1:1", /a value should be here/);
  assertRefused("// nothing", "1:11", /a value should be here/);
  assertRefused("{\n", "2:1", /closing brace/);
  assertRefused(`{"rules": [],\n}`, "2:1", /no comma before this }/);
  assertRefused(`{"rules": [1, // x,\n ]}`, "2:2", /no comma before this \]/);
  assertRefused(`{"rules" []}`, "1:10", /a colon/);
  assertRefused(`{"rules": []\n"otherwise": "read"}`, "2:1", /a comma/);
  assertRefused(`{rules: []}`, "1:2", /double quotes/);
  assertRefused(`{'rules': []}`, "1:2", /double quotes/);
  assertRefused(`{"rules": [01]}`, "1:13", /a comma/);
  assertRefused(`{"rules": [1e]}`, "1:12", /no number/);
  assertRefused(`{"rules": ["\\x"]}`, "1:12", /wrong \\ in it/);
  assertRefused(`{"rules": ["\\u12"]}`, "1:12", /wrong \\u in it/);
  assertRefused(`{"rules": ["a\nb"]}`, "1:12", /does not end/);
  assertRefused(`{"rules": ["a\tb"]}`, "1:12", /control character/);
  assertRefused(`{"rules": []} x`, "1:15", /no JSON/);
  assertRefused(`{"rules": []} {}`, "1:15", /nothing more/);
  assertRefused(`{"rules": [] /* x`, "1:14", /comment .* does not end/);
  assertRefused(`{"rüles€😀": 1 1}`, "1:15", /a comma/);
});

Deno.test("what no policy can be is refused before it is read", () => {
  assertRefused("[".repeat(POLICY_MAX), "1:17", /nested too deep/);
  assertRefused(`{"rules":${`{"a":`.repeat(90_000)}`, "1:85", /too deep/);
  assertRefused(" ".repeat(POLICY_MAX + 1), "1:1", /longer than 1048576/);
  const bytes = new TextEncoder().encode('{\n "rules": "é"}');
  bytes[bytes.length - 3] = 0xff;
  throws(() => Policy.parse(bytes, "p.json"), {
    message: /^p\.json:2:12: it is not UTF-8/,
  });
  throws(() => Policy.parse(new Uint8Array(POLICY_MAX + 1), "p.json"), {
    message: /^p\.json:1:1: it is longer/,
  });
  const mark = new TextEncoder().encode('\ufeff{"rules": []}');
  Policy.parse(mark, "p.json");
});

Deno.test("unknown keys are refused, with the nearest known", () => {
  assertRefused(`{"rule": []}`, "1:2", /unknown key "rule"; did .*'rules'/);
  assertRefused(`{"rules": [], "x": 1}`, "1:15", /expected "rules" or "other/);
  assertRefused(one(`{"acces": "read"}`), "3:6", /did you mean 'access'/);
  assertRefused(unix(`"export ": "/"`), "3:56", /did you mean 'export'/);
  assertRefused(unix(`"__proto__": 1`), "3:56", /unknown key "__proto__"/);
  assertRefused(matching(`"sockt": "x"`), "3:16", /did you mean 'socket'/);
  assertRefused(unix(`"as": {"user": 1}`), "3:63", /unknown key "user"/);
  assertRefused(unix(`"map": {"uids": []}`), "3:64", /'uid'/);
  assertRefused(
    unix(`"limits": {"maxLocks": 1}`),
    "3:67",
    /unknown key "maxLocks".*expected .* or "inFlight"/,
  );
  assertRefused(`{"\\u001b[2J\\u202e": 1}`, "1:2", /"\\u001b\[2J\\u202e"/);
  assertRefused(`{"${"k".repeat(9999)}": 1}`, "1:2", /^.{0,120}$/);
});

Deno.test("keys that are there twice, or not at all, are refused", () => {
  assertRefused(`{"rules": [],\n "rules": []}`, "2:2", /"rules" twice/);
  assertRefused(`{"rules": [],\n "\\u0072ules": []}`, "2:2", /"rules" twice/);
  assertRefused("{}", "1:1", /"rules" is missing/);
  assertRefused(one(`{"access": "read"}`), "3:5", /"match" is missing/);
  assertRefused(one(`{"match": {}}`), "3:5", /"access" is missing/);
  assertRefused(unix(`"as": {"uid": 1}`), "3:62", /"gid" is missing/);
});

Deno.test("values of another type are refused", () => {
  assertRefused("[]", "1:1", /expected an object, and this is an array/);
  assertRefused("null", "1:1", /expected an object, and this is null/);
  assertRefused(`{"rules": {}}`, "1:11", /expected an array/);
  assertRefused(`{"rules": [1]}`, "1:12", /an object, and this is a number/);
  assertRefused(`{"rules": [], "otherwise": true}`, "1:28", /expected a text/);
  assertRefused(one(`{"match": "x", "access": "read"}`), "3:15", /an object/);
  assertRefused(matching(`"subject": 1`), "3:27", /expected a text/);
  assertRefused(unix(`"name": []`), "3:64", /expected a text/);
  assertRefused(unix(`"export": null`), "3:66", /expected a text/);
  assertRefused(unix(`"as": 1`), "3:62", /expected an object/);
  assertRefused(unix(`"limits": []`), "3:66", /expected an object/);
});

Deno.test("values that mean nothing are refused", () => {
  assertRefused(`{"rules": [], "otherwise": "reed"}`, "1:28", /mean 'read'/);
  const access = one(`{"match": {"socket": "unix:x"}, "access": "rw"}`);
  assertRefused(access, "3:47", /"rw"; expected "none", "read" or "write"/);
  assertRefused(unix(`"name": " "`), "3:64", /1 to 64 characters/);
  assertRefused(unix(`"name": "a\\nb"`), "3:64", /control characters/);
  const none = `{"match": {"socket": "unix:x"}, "access": "none", "as": {}}`;
  assertRefused(one(none), "3:61", /"as" says nothing without access/);
});

Deno.test("conditions that nobody can meet are refused", () => {
  assertRefused(matching(""), "3:15", /"fingerprint", "subject" or "socket"/);
  const wrong = [
    "",
    "abc",
    `${PRINT}00`,
    COLONS.replace(":", ""),
    "g".repeat(64),
  ];
  for (const text of wrong) {
    assertRefused(
      matching(`"fingerprint": "${text}"`),
      "3:31",
      /SHA-256 has 64 hexadecimal digits/,
    );
  }
  const sha1 = COLONS.slice(0, 59);
  assertRefused(matching(`"fingerprint": "${sha1}"`), "3:31", /by SHA-1/);
  assertRefused(matching(`"subject": " "`), "3:27", /it is empty/);
  assertRefused(matching(`"subject": "/CN=x"`), "3:27", /slashes/);
  assertRefused(matching(`"subject": "alice"`), "3:27", /known type/);
  assertRefused(
    matching(`"subject": "CN = alice, O = x"`),
    "3:27",
    /write it as "CN=alice,O=x"/,
  );
  assertRefused(matching(`"socket": "x"`), "3:26", /no endpoint: expected/);
  assertRefused(matching(`"socket": "tls:a:1:2"`), "3:26", /no endpoint/);
  assertRefused(
    matching(`"socket": "tls:a:0001"`),
    "3:26",
    /write it as "tls:a:1"/,
  );
  assertRefused(
    matching(`"socket": "tcp:127.0.0.1:1", "subject": "CN=x"`),
    "3:26",
    /nobody shows a certificate/,
  );
});

Deno.test("a rule that another one hides is refused", () => {
  const rules = (...matches: string[]): string =>
    `{"rules": [\n${
      matches.map((match) => `{"match": {${match}}, "access": "read"}`)
        .join(",\n")
    }]}`;
  const alice = `"subject": "CN=alice"`;
  const socket = `"socket": "unix:x"`;
  assertRefused(rules(alice, socket, alice), "4:1", /^rule 1 matches first/);
  assertRefused(rules(alice, `${socket}, ${alice}`), "3:1", /rule 1 matches/);
  const prints = [COLONS, PRINT].map((text) => `"fingerprint": "${text}"`);
  assertRefused(rules(...prints), "3:1", /rule 1 matches first/);
  Policy.parse(rules(`${alice}, ${socket}`, socket, alice), "p.json");
});

Deno.test("exported paths that are none are refused", () => {
  const wrong: [string, RegExp][] = [
    ["", /absolute/],
    ["srv", /absolute/],
    ["/srv/", /one \/ between names/],
    ["//srv", /one \/ between names/],
    ["/./srv", /no "\."/],
    ["/srv/../etc", /no "\.\."/],
    ["/a\\u0000b", /no name has/],
    ["/a\\ud800b", /no name has/],
    [`/${"é".repeat(128)}`, /255 bytes/],
    ["/aaaaaaa".repeat(512), /4095 bytes/],
  ];
  for (const [path, reason] of wrong) {
    assertRefused(unix(`"export": "${path}"`), "3:66", reason);
  }
});

Deno.test("ids and limits outside their bounds are refused", () => {
  for (const id of ["-1", "0.5", "4294967295", "1e400"]) {
    assertRefused(
      unix(`"as": {"uid": ${id}, "gid": 0}`),
      "3:70",
      /whole number from 0 to 4294967294/,
    );
  }
  assertRefused(
    unix(`"as": {"uid": 0, "gid": 0, "groups": [1, -2]}`),
    "3:97",
    /whole number/,
  );
  const limit = (text: string): string => unix(`"limits": {${text}}`);
  assertRefused(limit(`"connections": 0`), "3:82", /from 1 to 1048576/);
  assertRefused(limit(`"inFlight": 1025`), "3:79", /from 1 to 1024/);
  assertRefused(limit(`"locks": -1`), "3:76", /from 0 to/);
  assertRefused(limit(`"tables": "1"`), "3:77", /expected a number/);
});

Deno.test("maps that are ambiguous or idle are refused", () => {
  const uid = (ranges: string): string => unix(`"map": {"uid": ${ranges}}`);
  assertRefused(unix(`"map": {}`), "3:63", /expected "uid" or "gid" in it/);
  assertRefused(uid("[]"), "3:71", /1 to 340 ranges/);
  const many = Array.from({ length: 341 }, (_, i) => `[${i}, ${i}, 1]`);
  assertRefused(uid(`[${many}]`), "3:71", /1 to 340 ranges/);
  assertRefused(uid("[[0, 1]]"), "3:72", /a range is \[first id of the client/);
  assertRefused(uid("[[0, 0, 0]]"), "3:79", /whole number from 1/);
  assertRefused(uid("[[0, 9, 4294967287]]"), "3:79", /1 to 4294967286/);
  assertRefused(
    uid("[[0, 0, 10],\n[9, 20, 1]]"),
    "4:1",
    /on the client's side it overlaps range 1/,
  );
  assertRefused(
    uid("[[0, 0, 10],\n[20, 9, 1]]"),
    "4:1",
    /on the volume's side it overlaps range 1/,
  );
  assertRefused(
    uid("[[0, 1000, 10]]"),
    "3:71",
    /no range has the volume's uid 0, which the session acts with/,
  );
  assertRefused(
    unix(`"as": {"uid": 5, "gid": 6}, "map": {"gid": [[0, 0, 6]]}`),
    "3:99",
    /volume's gid 6/,
  );
});

Deno.test("a policy made of an object has the same checks", () => {
  const bad = (definition: unknown, place: string, reason: RegExp): void => {
    throws(() => Policy.from(definition as PolicyDefinition), (error) => {
      ok(error instanceof PolicyError, String(error));
      equal(error.place, place);
      ok(reason.test(error.reason), error.reason);
      return true;
    });
  };
  const match = { socket: "unix:x" };
  bad({ rules: [{ match, access: "raed" }] }, "policy.rules[0].access", /read/);
  bad({ rules: [], other: 1 }, "policy.other", /unknown key "other"/);
  bad(
    { rules: [{ match, access: "read", as: { uid: NaN, gid: 1 } }] },
    ...[
      "policy.rules[0].as.uid",
      /expected a number, and this is null/,
    ] as const,
  );
  bad(undefined, "policy", /no object/);
  const circle: { rules: unknown[] } = { rules: [] };
  circle.rules.push(circle);
  bad(circle, "policy", /circular/i);
  bad({ rules: [1n] }, "policy", /BigInt/);
});

Deno.test("check() refuses what is not there", () => {
  const policy = Policy.parse(
    `{"rules": [
      {"match": {"socket": "tls:0.0.0.0:7000"}, "access": "none"},
      {"match": {"subject": "CN=x"}, "access": "read", "export": "/srv"}
    ]}`,
    "p.json",
  );
  const endpoints = ["unix:x", "tls:0.0.0.0:7000"].map(parseEndpoint);
  const asked: string[] = [];
  policy.check({
    endpoints,
    isDirectory: (path) => asked.push(new TextDecoder().decode(path)) > 0,
  });
  deepEqual(asked, ["/srv"]);
  throws(() => policy.check({ endpoints, isDirectory: () => false }), {
    message: /^p\.json:3:66: the volume has no directory at this path/,
  });
  const elsewhere = endpoints.slice(0, 1);
  throws(
    () => policy.check({ endpoints: elsewhere, isDirectory: () => true }),
    {
      message:
        /^p\.json:2:28: the server does not listen there, but at unix:x$/,
    },
  );
});
