import assert from "node:assert/strict";
import { thread } from "../bd/thread.ts";
import { Company } from "./_company.ts";

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("the thread is shared until one client alone has asked for a while", async () => {
  const company = new Company();
  const [one, other] = [{}, {}];
  try {
    company.note(one);
    assert.equal(thread.isShared, true);
    await wait(50);
    company.note(one);
    assert.equal(thread.isShared, false);
    company.note(other);
    assert.equal(thread.isShared, true);
    company.note(one);
    assert.equal(thread.isShared, true);
    await wait(50);
    company.note(one);
    assert.equal(thread.isShared, false);
  } finally {
    company.end();
  }
  assert.equal(thread.isShared, true);
});
