import { equal } from "node:assert/strict";
import { suggestion } from "./suggestion.ts";

Deno.test("suggestion() names the nearest word or none", () => {
  const known = ["mkdir", "mv", "makefs"];
  equal(suggestion("mkdri", known), "; did you mean 'mkdir'?");
  equal(suggestion("completely", known), "");
});

Deno.test("suggestion() does not compare what is no word", () => {
  equal(suggestion("m".repeat(1 << 20), ["m".repeat(1 << 20)]), "");
});
