import assert from "node:assert/strict";
import { DIGEST_BYTES, HASH_ALGORITHMS } from "./hmac.ts";
import { Random } from "../tests/support/random.ts";
import {
  arrayLayout,
  levelOf,
  pagedLayout,
  type TreeLayout,
  UNIT_SLOTS,
} from "./tree_layout.ts";

const PAGE = 4096;

/** Byte of the file at which the value of `node` lies. */
function placeOf(layout: TreeLayout, node: number): number {
  const unit = layout.unitOf(node);
  const slot = layout.slotOf(node, unit);
  assert.ok(slot >= layout.firstSlot(unit) && slot < layout.endSlot(unit));
  const before = slot - layout.firstSlot(unit);
  return layout.position(unit) + before * layout.digestSize;
}

/**
 * The places of a paged tree of `levels` levels below the root as its
 * description has them: breadth first over pages, each of them breadth first
 * over the six levels below its apex, behind two slots that are not used.
 */
function describedPages(levels: number): Map<number, number> {
  const places = new Map<number, number>();
  const apices = [1];
  for (let page = 0; page < apices.length; page++) {
    let row = [apices[page]];
    let at = page * PAGE + 2 * 32;
    for (let depth = 1; depth <= 6; depth++) {
      row = row.flatMap((node) => [2 * node, 2 * node + 1]);
      for (const node of row) {
        places.set(node, at);
        at += 32;
      }
    }
    assert.equal(at, (page + 1) * PAGE);
    if (levelOf(row[0]) < levels) apices.push(...row);
  }
  return places;
}

Deno.test("levelOf() is the number of halvings that lead to the root", () => {
  for (let node = 1; node < 5000; node++) {
    assert.equal(levelOf(node), node.toString(2).length - 1);
  }
  for (let level = 0; level < 53; level++) {
    assert.equal(levelOf(2 ** level), level);
    assert.equal(levelOf(2 ** level + Math.floor(2 ** level / 3)), level);
    if (level > 0) assert.equal(levelOf(2 ** level - 1), level - 1);
  }
});

Deno.test("the array holds every node in the order of its number", () => {
  for (const algorithm of HASH_ALGORITHMS) {
    const size = DIGEST_BYTES[algorithm];
    for (const leaves of [1, 2, 3, 5, 63, 64, 65, 127, 128, 129, 1000]) {
      const layout = arrayLayout(leaves, size);
      assert.equal(layout.fileSize, (2 * leaves - 1) * size);
      assert.equal(layout.firstLeaf, leaves);
      for (let node = 1; node < 2 * leaves; node++) {
        assert.equal(placeOf(layout, node), (node - 1) * size);
      }
    }
  }
});

Deno.test("the units of an array cover its file without a gap", () => {
  for (const leaves of [1, 2, 63, 64, 65, 128, 1000]) {
    const layout = arrayLayout(leaves, 20);
    let end = 0;
    for (let unit = 0; unit <= layout.unitOf(2 * leaves - 1); unit++) {
      assert.equal(layout.position(unit), end);
      end += (layout.endSlot(unit) - layout.firstSlot(unit)) * 20;
    }
    assert.equal(end, layout.fileSize);
  }
});

Deno.test("pages hold the nodes where their description has them", () => {
  for (const [leaves, levels] of [[1, 6], [64, 6], [65, 12], [5000, 18]]) {
    const layout = pagedLayout(leaves);
    assert.equal(layout.firstLeaf, 2 ** levels);
    const places = describedPages(levels);
    assert.equal(places.size, 2 ** (levels + 1) - 2);
    for (const [node, place] of places) {
      assert.equal(placeOf(layout, node), place, `node ${node}`);
    }
    assert.equal(new Set(places.values()).size, places.size);
  }
});

Deno.test("the file of a paged tree ends with the page of its last leaf", () => {
  for (const leaves of [1, 2, 63, 64, 65, 4095, 4096, 4097, 262_144, 262_145]) {
    const layout = pagedLayout(leaves);
    const page = layout.unitOf(layout.firstLeaf + leaves - 1);
    assert.equal(layout.fileSize, (page + 1) * PAGE, `${leaves} leaves`);
    assert.ok(layout.firstLeaf >= leaves);
  }
});

Deno.test("children lie side by side in one unit, the left one in an even slot", () => {
  const layouts = [1, 2, 3, 64, 65, 1000, 5000].flatMap((leaves) => [
    arrayLayout(leaves, 16),
    pagedLayout(leaves),
  ]);
  for (const layout of layouts) {
    const end = layout.firstLeaf + layout.leafCount;
    for (let left = 2; left < end; left += 2) {
      const unit = layout.unitOf(left);
      const slot = layout.slotOf(left, unit);
      assert.equal(slot % 2, 0);
      assert.equal(layout.unitOf(left + 1), unit);
      assert.equal(layout.slotOf(left + 1, unit), slot + 1);
      assert.ok(slot >= layout.firstSlot(unit));
      assert.ok(slot + 1 < layout.endSlot(unit));
    }
  }
});

/** Where a paged tree has `node`, by exact arithmetic from the top down. */
function describedPlace(node: number): bigint {
  const path = node.toString(2).slice(1);
  let page = 0n;
  let pagesAbove = 0n;
  let pagesHere = 1n;
  let at = 0;
  for (; at + 6 < path.length; at += 6) {
    pagesAbove += pagesHere;
    pagesHere *= 64n;
    page = page * 64n + BigInt(parseInt(path.slice(at, at + 6), 2));
  }
  const slot = parseInt(`1${path.slice(at)}`, 2);
  return (pagesAbove + page) * 4096n + BigInt(slot) * 32n;
}

Deno.test("trees of 2^32 blocks and more have their nodes in the right places", () => {
  const random = new Random(20260303);
  for (const leaves of [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40]) {
    const pages = pagedLayout(leaves);
    const array = arrayLayout(leaves, 64);
    assert.equal(array.fileSize, (2 * leaves - 1) * 64);
    assert.ok(Number.isSafeInteger(pages.fileSize));
    const some = Array.from({ length: 500 }, () => {
      return Math.floor(random.next() / 2 ** 32 * leaves);
    });
    for (const leaf of [0, 1, leaves - 2, leaves - 1, ...some]) {
      let node = pages.firstLeaf + leaf;
      for (; node > 1; node = Math.floor(node / 2)) {
        assert.equal(BigInt(placeOf(pages, node)), describedPlace(node));
        assert.ok(placeOf(pages, node) + 32 <= pages.fileSize);
      }
      for (node = leaves + leaf; node >= 1; node = Math.floor(node / 2)) {
        assert.equal(placeOf(array, node), (node - 1) * 64);
        assert.ok(node * 64 <= array.fileSize);
      }
    }
  }
});

Deno.test("a unit of either layout has 128 slots", () => {
  assert.equal(UNIT_SLOTS * 32, PAGE);
  assert.equal(pagedLayout(1).endSlot(0), 128);
  assert.equal(arrayLayout(1000, 32).endSlot(0), 128);
  assert.equal(arrayLayout(1000, 32).firstSlot(0), 1);
});
