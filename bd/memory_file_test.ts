import assert from "node:assert/strict";
import { MemoryFile } from "./memory_file.ts";

Deno.test("a file in memory gives back what was written, and zeros elsewhere", async () => {
  const file = new MemoryFile(100);
  file.writeAt(40, new Uint8Array([1, 2, 3]));
  const into = new Uint8Array(5).fill(0xee);
  file.readAt(39, into);
  assert.deepEqual(into, new Uint8Array([0, 1, 2, 3, 0]));
  assert.equal(file.size, 100);
  await file.sync();
  file.close();
  file.close();
});

Deno.test("a file in memory can hold given bytes, which then show its writes", () => {
  const bytes = new Uint8Array([5, 6, 7]);
  const file = new MemoryFile(bytes);
  file.writeAt(1, new Uint8Array([9]));
  assert.deepEqual(bytes, new Uint8Array([5, 9, 7]));
});

Deno.test("a file in memory ends where it ends", () => {
  const file = new MemoryFile(100);
  for (const position of [-1, 91, 100, 2 ** 40, NaN]) {
    const bytes = new Uint8Array(10);
    assert.throws(() => file.readAt(position, bytes), { code: "EIO" });
    assert.throws(() => file.writeAt(position, bytes), { code: "EIO" });
  }
  file.readAt(100, new Uint8Array(0));
});
