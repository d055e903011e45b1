import assert from "node:assert/strict";
import { HostileFile } from "../tests/support/hostile.ts";
import { VeritySpecimen } from "../tests/support/verity.ts";
import { BlockCache } from "./cache.ts";
import { PAGE_FANOUT } from "./tree_layout.ts";

const SIZE = 1024;
/** So many pages of leaves, and the top page above them. */
const PAGES = 20;

Deno.test("a full disk refuses writes, and what was written before verifies", async () => {
  const specimen = new VeritySpecimen({
    kind: "pages",
    blocks: PAGES * PAGE_FANOUT,
  });
  const tree = new HostileFile(specimen.tree);
  // The disk has room for four pages of the tree.
  const stored = new Set<number>();
  tree.rule = ({ kind, position }) => {
    if (kind !== "write" || stored.has(position)) return null;
    if (stored.size === 4) return "ENOSPC";
    stored.add(position);
    return null;
  };
  const device = specimen.open({ tree });
  const cache = new BlockCache(device, 4 << 20);
  cache.begin();
  for (let page = 0; page < PAGES; page++) {
    cache.replace(page * PAGE_FANOUT).fill(1 + page);
  }
  cache.commit();
  assert.throws(() => cache.writeBack(), { code: "ENOSPC" });
  await device.flush();
  const again = specimen.open();
  for (let page = 0; page < PAGES; page++) {
    const bytes = new Uint8Array(SIZE).fill(0xee);
    again.read(page * PAGE_FANOUT, bytes);
    const value = page < 3 ? 1 + page : 0;
    assert.deepEqual(bytes, new Uint8Array(SIZE).fill(value));
  }
});
