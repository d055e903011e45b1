import assert from "node:assert/strict";
import { canonicalJson, type Json } from "./canonical_json.ts";

function canonical(value: Json): string {
  return new TextDecoder().decode(canonicalJson(value));
}

Deno.test("canonicalJson() writes the example of RFC 8785, section 3.2.2", () => {
  const value = JSON.parse(String.raw`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3,
                0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  }`);
  assert.equal(
    canonical(value),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,' +
      '0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  );
});

Deno.test("canonicalJson() sorts names by UTF-16 code units (section 3.2.3)", () => {
  const names = ["€", "\r", "\ufb33", "1", "😀", "\u0080", "ö"];
  const value = Object.fromEntries(names.map((name) => [name, 0]));
  assert.equal(
    canonical(value),
    '{"\\r":0,"1":0,"\u0080":0,"ö":0,"€":0,"😀":0,"\ufb33":0}',
  );
});

Deno.test("canonicalJson() leaves out what is absent, and refuses what is no JSON", () => {
  assert.equal(canonical({ b: undefined, a: -0 }), '{"a":0}');
  assert.throws(() => canonicalJson({ a: NaN }), RangeError);
  assert.throws(() => canonicalJson(["\ud800"]), RangeError);
});
