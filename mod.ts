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
 * @module
 */

export * from "./bd/mod.ts";
export * from "./fs/mod.ts";
export * from "./rpc/mod.ts";
