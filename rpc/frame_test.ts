import assert from "node:assert/strict";
import { FrameSplitter } from "./frame.ts";
import { ProtocolError } from "./protocol_error.ts";

/** Frames whose contents are `length` times the byte `length`. */
function streamOf(lengths: readonly number[]): Uint8Array {
  return Uint8Array.from(
    lengths.flatMap((length) => [
      length >>> 24,
      length >>> 16 & 255,
      length >>> 8 & 255,
      length & 255,
      ...new Array(length).fill(length & 255),
    ]),
  );
}

/** Hands `stream` over in pieces of `step` bytes; returns what came out. */
function split(
  stream: Uint8Array,
  step: number,
  size: number,
): Uint8Array[] {
  const splitter = new FrameSplitter(new Uint8Array(size), 1000);
  const frames: Uint8Array[] = [];
  for (let at = 0; at < stream.length;) {
    if (splitter.full) {
      splitter.moveTo(new Uint8Array(splitter.buffer.length * 2));
    }
    const space = splitter.space();
    const piece = stream.subarray(at, at + Math.min(step, space.length));
    assert.ok(piece.length > 0, "there is space for what arrives");
    space.set(piece);
    splitter.received(piece.length);
    at += piece.length;
    for (let frame = splitter.next(); frame; frame = splitter.next()) {
      frames.push(frame.slice());
    }
  }
  return frames;
}

Deno.test("FrameSplitter finds the frames however the stream arrives", () => {
  const lengths = [0, 1, 5, 0, 300, 12, 999, 1000, 3, 0, 64];
  const stream = streamOf(lengths);
  for (const step of [1, 2, 3, 4, 5, 7, 64, 500, stream.length]) {
    for (const size of [4, 16, 100, 4096]) {
      const frames = split(stream, step, size);
      assert.deepEqual(frames.map((frame) => frame.length), lengths);
      for (const frame of frames) {
        assert.ok(frame.every((byte) => byte === (frame.length & 255)));
      }
    }
  }
});

Deno.test("FrameSplitter refuses a frame beyond the limit at once", () => {
  for (const length of [1001, 0x7fffffff, 0xffffffff]) {
    const splitter = new FrameSplitter(new Uint8Array(16), 1000);
    new DataView(splitter.space().buffer).setUint32(0, length);
    splitter.received(4);
    assert.throws(() => splitter.next(), ProtocolError);
  }
});

Deno.test("FrameSplitter says what is missing of the frame at hand", () => {
  const splitter = new FrameSplitter(new Uint8Array(64), 1000);
  assert.equal(splitter.missing, 0);
  splitter.space().set([0, 0, 0]);
  splitter.received(3);
  assert.equal(splitter.missing, 0);
  splitter.space().set([10, 1]);
  splitter.received(2);
  assert.equal(splitter.missing, 9);
  assert.equal(splitter.pending, 5);
  assert.equal(splitter.next(), null);
});
