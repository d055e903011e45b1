import assert from "node:assert/strict";
import {
  DEVICE_STACKS,
  STD_STACK,
  VERICRYPT_STACK,
} from "../../support/device_stacks.ts";
import { CASES } from "./cases.ts";
import { emptyCells, matrixLines } from "./matrix.ts";
import { Observed } from "./observed.ts";
import { runCases } from "./runner.ts";
import { TRANSPORTS, World } from "./world.ts";

/** One of each of the four devices. */
const STACKS = [
  STD_STACK,
  DEVICE_STACKS.find(({ name }) => name === "bd-crypt with XTS")!,
  DEVICE_STACKS.find(({ name }) => name === "bd-verity with pages")!,
  VERICRYPT_STACK,
];

const observed = new Observed();

for (const transport of TRANSPORTS) {
  for (const stack of STACKS) {
    Deno.test(`every case is answered as it should be: ${transport}, ${stack.name}`, async () => {
      const open = (options: { isAtomic: boolean }): Promise<World> =>
        World.open(stack, { ...options, transport, observed });
      const failures = await runCases(open, CASES);
      assert.equal(failures.join("\n\n"), "");
    });
  }
}

Deno.test("every outcome of the table has a case, or a reason", () => {
  console.log(matrixLines(CASES).join("\n"));
  assert.deepEqual(emptyCells(CASES), []);
});

Deno.test("no answer was one that the table does not know", () => {
  assert.deepEqual(observed.unexpected(), []);
});
