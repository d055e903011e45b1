import assert from "node:assert/strict";
import { withTempDir } from "../tests/support/tools.ts";
import { parseCommand } from "./cli.ts";
import { UsageError } from "./errors.ts";
import { makemerkle } from "./makemerkle.ts";

Deno.test("makemerkle --force does not take one file for two things", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/image`;
    const contents = new Uint8Array(4096).fill(7);
    await Deno.writeFile(image, contents);
    await Deno.symlink("image", `${dir}/link`);
    for (
      const [tree, root] of [
        ["image", "root"],
        ["link", "root"],
        ["tree", "image"],
        ["tree", "./tree"],
      ]
    ) {
      const { values, operands } = parseCommand(makemerkle, [
        ...["--force", "--root-file", `${dir}/${root}`],
        ...[image, `${dir}/${tree}`],
      ]);
      await assert.rejects(makemerkle.run(values, operands), (error) => {
        assert(error instanceof UsageError);
        assert.match(error.message, /is given twice: image, tree and root/);
        return true;
      });
    }
    assert.deepEqual(await Deno.readFile(image), contents);
    const names = [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["image", "link"]);
  }));
