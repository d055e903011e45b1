import assert from "node:assert/strict";
import { MemoryFile } from "../memory_file.ts";
import { Ring } from "./ring.ts";

Deno.test("a ring is whole units, from its start to the end of the file", () => {
  const sizes = [[8192, 0], [8703, 0], [8704, 512], [9727, 1024]] as const;
  for (const [bytes, size] of sizes) {
    assert.equal(new Ring(new MemoryFile(bytes), 8192).size, size);
  }
});

Deno.test("what goes past the end of a ring goes on at its beginning", () => {
  const file = new MemoryFile(100 + 2048);
  file.bytes.fill(0xee);
  const ring = new Ring(file, 100);
  const bytes = Uint8Array.from({ length: 1536 }, (_, i) => i % 251);
  for (const position of [0, 512, 1024, 1536]) {
    ring.write(position, bytes);
    const into = new Uint8Array(bytes.length);
    ring.read(position, into);
    assert.deepEqual(into, bytes);
    for (let i = 0; i < bytes.length; i++) {
      assert.equal(file.bytes[100 + (position + i) % 2048], bytes[i]);
    }
    assert.equal(ring.advance(position, 1536), (position + 1536) % 2048);
  }
  // All of it, from anywhere; and nothing before its start.
  const whole = Uint8Array.from({ length: 2048 }, (_, i) => i % 253);
  ring.write(1000, whole);
  const into = new Uint8Array(2048);
  ring.read(1000, into);
  assert.deepEqual(into, whole);
  assert.ok(file.bytes.subarray(0, 100).every((byte) => byte === 0xee));
});
