import assert from "node:assert/strict";
import { Position } from "./_position.ts";

Deno.test("moves that overlap follow one another", async () => {
  const position = new Position();
  const starts: number[] = [];
  const move = (length: number, done: number | null): Promise<number | null> =>
    position.moving(length, (from) => {
      starts.push(from);
      return Promise.resolve(done);
    });
  const moves = [move(10, 10), move(20, 20), move(5, 2), move(5, null)];
  assert.equal(position.at, 40);
  await Promise.all(moves);
  assert.deepEqual(starts, [0, 10, 30, 35]);
  assert.equal(position.at, 32);
});

Deno.test("what has failed has not moved", async () => {
  const position = new Position();
  position.set(7);
  const failing = position.moving(
    10,
    () => Promise.reject(new Error("failed")),
  );
  await assert.rejects(failing);
  assert.equal(position.at, 7);
});

Deno.test("a position that was set meanwhile stays", async () => {
  const position = new Position();
  const short = position.moving(10, () => Promise.resolve(3));
  position.set(100);
  await short;
  assert.equal(position.at, 100);
});
