import assert from "node:assert/strict";
import { loadImage, saveImage } from "../tests/support/images.ts";
import {
  assertClean,
  must,
  testWith,
  withTempDir,
} from "../tests/support/tools.ts";
import { Filesystem, ROOT_INODE } from "./mod.ts";

const BLOCK = 1024;
/** The smallest groups that there are. */
const GROUP_BLOCKS = 256;
const GROUPS = 60;

/** A file with one block in each group, in a volume that is full otherwise. */
function scatteredFile(fs: Filesystem): number {
  const filler = fs.create(ROOT_INODE, "filler");
  const piece = new Uint8Array(BLOCK);
  let count = 0;
  while (fs.statfs().blocksFree > 0) {
    try {
      fs.write(filler, count * BLOCK, piece);
      count++;
    } catch {
      break;
    }
  }
  const hole = { length: BLOCK, keepSize: true, punchHole: true };
  for (let i = 5; i < count; i += GROUP_BLOCKS) {
    fs.allocate(filler, { ...hole, offset: i * BLOCK });
  }
  const ino = fs.lookup(ROOT_INODE, "scattered");
  for (let i = 0; fs.statfs().blocksFree > 2; i++) {
    fs.write(ino, i * BLOCK, piece);
  }
  return ino;
}

await testWith(
  ["e2fsprogs"],
  "freeing changes few blocks at once, however a file is scattered",
  () =>
    withTempDir(async (dir) => {
      const image = `${dir}/groups.img`;
      await must("truncate", "-s", `${GROUPS * GROUP_BLOCKS * BLOCK}`, image);
      const sizes = ["-b", `${BLOCK}`, "-g", `${GROUP_BLOCKS}`, "-N", "960"];
      const features = ["-O", "none,filetype,sparse_super"];
      await must("mke2fs", "-q", ...sizes, ...features, image);
      const device = await loadImage(image);
      const fs = Filesystem.open(device);
      fs.create(ROOT_INODE, "scattered");
      const ino = scatteredFile(fs);
      const { size, blocks } = fs.getattr(ino);
      assert.ok(blocks > GROUPS, `${blocks} units are too few`);
      await fs.sync();
      let calls = 0;
      for (let offset = 0; offset < size; calls++) {
        const { written } = fs.cacheStatistics;
        const how = { keepSize: true, punchHole: true };
        offset += fs.allocate(ino, { offset, length: size - offset, ...how });
        await fs.sync();
        const dirty = fs.cacheStatistics.written - written;
        assert.ok(dirty <= 40, `${dirty} blocks were changed at once`);
      }
      assert.ok(calls > 1, "one call did it all");
      assert.equal(fs.getattr(ino).blocks, 0);
      await fs.close();
      await saveImage(device, image);
      await assertClean(image);
    }),
);
