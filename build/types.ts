/**
 * The types of a package: one declaration file for each module that has a part
 * in what is exported.
 *
 * @module
 */

/** Where another module's name is, in what the compiler writes. */
const SPECIFIER = /\b(from |import\()"((?:\.|file:)[^"]+)\.ts"/g;

/** The compiler's note on what it made a declaration of. */
const ORIGIN = /^\/\/\/ <amd-module .*\n/gm;

/** Where declarations are. */
interface Declarations {
  /** The project's root, which the compiler may name modules by. */
  readonly root: URL;
  /** Where the compiler has put them, laid out as the modules are. */
  readonly from: string;
  /** Where those that are needed go. */
  readonly to: string;
}

/**
 * Copies the declarations that `entry` needs, by its path from the root. They
 * name each other as TypeScript expects it of a package.
 */
export async function copyTypes(
  entry: string,
  { root, from, to }: Declarations,
): Promise<void> {
  const needed = new Set([entry]);
  for (const path of needed) {
    const declared = path.replace(/\.ts$/, ".d.ts");
    const text = await Deno.readTextFile(`${from}/${declared}`);
    const own = new URL(path, root);
    const rewritten = text.replace(ORIGIN, "").replace(
      SPECIFIER,
      (_, before, specifier) => {
        const other = new URL(`${specifier}.ts`, own).href;
        const path = other.slice(root.href.length);
        needed.add(path);
        return `${before}"${relative(own.href, other).slice(0, -3)}.js"`;
      },
    );
    const target = `${to}/${declared}`;
    await Deno.mkdir(target.slice(0, target.lastIndexOf("/")), {
      recursive: true,
    });
    await Deno.writeTextFile(target, rewritten);
  }
}

/** How the file `from` names the file `to`. */
function relative(from: string, to: string): string {
  const here = from.split("/").slice(0, -1);
  const there = to.split("/");
  let common = 0;
  while (here[common] === there[common] && common < here.length) common++;
  const up = "../".repeat(here.length - common) || "./";
  return up + there.slice(common).join("/");
}
