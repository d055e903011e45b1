/**
 * Makes `dist/`: the client alone, as a package for Node and for Deno.
 *
 * One file of JavaScript, the types of what it exports, a package.json. The
 * work is that of `deno bundle`, which fetches its bundler from the npm
 * registry, and of `deno transpile`.
 *
 * @module
 */

import { copyTypes } from "./types.ts";

const ROOT = new URL("../", import.meta.url);
const ENTRY = "rpc/client_mod.ts";

/** What may be imported by the bundle: Node's own modules, nothing else. */
const IMPORT = /^import\b[^"]*"([^"]+)";$/gm;

/** Makes a package of the client in `dist`, which is replaced. */
export async function buildClient(dist: string): Promise<void> {
  const modules = await modulesOf(ENTRY);
  await Deno.remove(dist, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await Deno.mkdir(dist, { recursive: true });
  const bundle = `${dist}/client.js`;
  await deno("bundle", "-q", "--platform=deno", "-o", bundle, ENTRY);
  checkImports(await Deno.readTextFile(bundle));
  const scratch = await Deno.makeTempDir({ prefix: "nextfs-build-" });
  try {
    const declare = ["--declaration", "--outdir", scratch];
    await deno("transpile", "-q", ...declare, ...modules.local);
    const types = { root: ROOT, from: scratch, to: `${dist}/types` };
    await copyTypes(ENTRY, types);
  } finally {
    await Deno.remove(scratch, { recursive: true });
  }
  await Deno.writeTextFile(
    `${dist}/client.d.ts`,
    `export * from "./types/${ENTRY.replace(/\.ts$/, ".js")}";\n`,
  );
  await writePackage(dist, modules.packages);
}

interface Modules {
  /** Files of the project, from its root on. */
  readonly local: string[];
  /** Folders of the packages that are bundled. */
  readonly packages: { readonly name: string; readonly folder: string }[];
}

/** What `deno info --json` says, as far as it matters here. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly npmPackage?: string;
  }[];
  readonly npmPackages: Readonly<
    Record<string, { readonly name: string; readonly localPath: string }>
  >;
}

async function modulesOf(entry: string): Promise<Modules> {
  const info: Info = JSON.parse(await deno("info", "--json", entry));
  const local: string[] = [];
  const packages: Modules["packages"] = [];
  for (const { specifier, npmPackage } of info.modules) {
    if (specifier.startsWith(ROOT.href)) {
      local.push(specifier.slice(ROOT.href.length));
    } else if (npmPackage !== undefined) {
      const { name, localPath } = info.npmPackages[npmPackage];
      packages.push({ name, folder: localPath });
    }
  }
  return { local, packages };
}

/** Throws if a package was left out of the bundle. */
function checkImports(bundle: string): void {
  for (const [, specifier] of bundle.matchAll(IMPORT)) {
    if (specifier.startsWith("node:")) continue;
    throw new Error(`Cannot build the client: it imports "${specifier}"`);
  }
}

async function writePackage(
  dist: string,
  packages: Modules["packages"],
): Promise<void> {
  const { name, version, license } = JSON.parse(
    await Deno.readTextFile(new URL("deno.json", ROOT)),
  );
  const json = {
    ...{ name, version, license },
    description: "The client of nextfs, a file server",
    type: "module",
    exports: { ".": { types: "./client.d.ts", default: "./client.js" } },
    engines: { node: ">=20" },
  };
  await Deno.writeTextFile(
    `${dist}/package.json`,
    `${JSON.stringify(json, null, 2)}\n`,
  );
  const own = await Deno.readTextFile(new URL("LICENSE", ROOT));
  const texts = [own];
  for (const { name, folder } of packages) {
    const text = await Deno.readTextFile(`${folder}/LICENSE`);
    texts.push(`client.js contains ${name}, under this licence:\n\n${text}`);
  }
  await Deno.writeTextFile(`${dist}/LICENSE`, texts.join("\n---\n\n"));
}

/** Runs Deno in the project's root. Resolves to what it prints. */
async function deno(...args: string[]): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    stderr: "piped",
  });
  const { success, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  throw new Error(
    `Cannot build the client: 'deno ${args[0]}' failed:\n` +
      decoder.decode(stderr),
  );
}

if (import.meta.main) {
  await buildClient(new URL("dist", ROOT).pathname);
}
