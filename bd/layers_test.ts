import assert from "node:assert/strict";
import { VeritySpecimen } from "../tests/support/verity.ts";
import type { BlockDevice } from "./block_device.ts";
import { BorrowedDevice } from "./borrowed.ts";
import { CryptDevice } from "./crypt.ts";
import { FaultyDevice } from "./faulty.ts";
import { MemoryDevice } from "./memory.ts";

/** A device on which what is written between two flushes is atomic. */
class AtomicDevice extends MemoryDevice {
  readonly commitBlocksMax = 7;
}

/** A device over `next` of each kind that changes nothing about commits. */
function layersOver(next: BlockDevice): BlockDevice[] {
  const key = new Uint8Array(64).map((_, i) => i);
  const specimen = new VeritySpecimen({ kind: "pages", blocks: 8 });
  return [
    new BorrowedDevice(next),
    new CryptDevice(next, { cipher: "aes-256-xts", key }),
    new FaultyDevice(next),
    specimen.open({ image: next }),
  ];
}

Deno.test("layers say what a commit may hold, if the device below does", () => {
  for (const layer of layersOver(new AtomicDevice(1024, 8))) {
    assert.equal(layer.commitBlocksMax, 7, layer.constructor.name);
    layer.close();
  }
  for (const layer of layersOver(new MemoryDevice(1024, 8))) {
    assert.equal(layer.commitBlocksMax, undefined, layer.constructor.name);
    layer.close();
  }
});
