/**
 * nextfs: an ext2 filesystem in an ordinary host file, in process or over the
 * network.
 *
 * @example A volume in memory
 * ```ts
 * import { Filesystem, format, MemoryDevice, Paths } from "./mod.ts";
 *
 * const device = new MemoryDevice(4096, 4096);
 * format(device, { blank: true });
 * const fs = Filesystem.open(device);
 * const paths = new Paths(fs);
 * paths.writeFile("/greeting", "hello");
 * console.log(new TextDecoder().decode(paths.readFile("/greeting")));
 * await fs.close();
 * ```
 *
 * @example A volume that `nextfs init --keyfile vault.key vault` has made
 * ```ts
 * import { Filesystem, openVolume, Paths } from "./mod.ts";
 *
 * const volume = await openVolume("vault", {
 *   secret: () =>
 *     Promise.resolve({
 *       kind: "keyfile",
 *       bytes: Deno.readFileSync("vault.key"),
 *     }),
 * });
 * const fs = Filesystem.open(volume.device);
 * new Paths(fs).writeFile("/secret", "nobody below can read or change this");
 * await fs.close();
 * ```
 *
 * @example A file of a server
 * ```ts
 * import { connect } from "./mod.ts";
 *
 * await using client = await connect("unix:/run/nextfs.sock");
 * await client.files.writeTextFile("/greeting", "hello");
 * console.log(await client.files.readTextFile("/greeting"));
 * ```
 *
 * @module
 */

export * from "./bd/mod.ts";
export * from "./fs/mod.ts";
export * from "./rpc/mod.ts";
