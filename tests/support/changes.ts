/**
 * Changes of every kind to the tree of `kernel_tree.ts`, made by the engine.
 *
 * @module
 */

import {
  type Filesystem,
  Paths,
  S_IFBLK,
  S_IFIFO,
  S_IFSOCK,
} from "../../fs/mod.ts";
import { Random } from "./random.ts";

/** Changes a volume in all ways; `xattrs` if it can have them. */
export function changeEverything(
  fs: Filesystem,
  options: { xattrs: boolean },
): void {
  const paths = new Paths(fs);
  changeContents(fs, paths);
  changeNames(fs, paths);
  changeLargeDirectory(fs, paths);
  changeAttributes(fs, paths);
  if (options.xattrs) changeXattrs(fs, paths);
}

function changeContents(fs: Filesystem, paths: Paths): void {
  const random = new Random(1);
  const { blockSize } = fs;
  const odd = paths.resolve("/files/odd");
  fs.write(odd, 300 * blockSize, random.bytes(3 * blockSize));
  fs.write(odd, 5, random.bytes(10));
  const sparse = paths.resolve("/files/sparse");
  fs.write(sparse, 3 * blockSize - 7, random.bytes(4 * blockSize));
  fs.write(sparse, 6_000 * blockSize + 1, random.bytes(1));
  fs.write(paths.resolve("/files/hole"), 1_000_000, random.bytes(100_000));
  paths.truncate("/files/far", 4_900 * blockSize);
  paths.truncate("/files/b13", 12 * blockSize - 1);
  paths.truncate("/files/b13", 14 * blockSize);
  paths.truncate("/files/b11", 0);
  paths.writeFile("/files/ours", random.bytes(400 * blockSize + 1));
  paths.writeFile("/files/small", "replaced");
}

function changeNames(fs: Filesystem, paths: Paths): void {
  const { blockSize } = fs;
  const files = paths.resolve("/files");
  paths.remove("/files/b1");
  paths.remove("/files/disk");
  paths.remove("/names/link61");
  paths.rename("/names/link60", "/files/moved-link");
  paths.rename("/files/empty", '/names/space and "quote"');
  paths.rename("/deep/d/d/d", "/shallow");
  paths.removeAll("/shallow/d/d");
  paths.mkdirAll("/new/tree/of/directories", { mode: 0o2750 });
  paths.link("/files/odd", "/new/tree/odd");
  for (const length of [1, 59, 60, 61, blockSize - 1]) {
    paths.symlink("s".repeat(length), `/new/symlink${length}`);
  }
  fs.mknod(files, "our-pipe", { kind: S_IFIFO, mode: 0o600 });
  fs.mknod(files, "our-socket", { kind: S_IFSOCK, mode: 0o700 });
  const rdev = { major: 4095, minor: 2 ** 20 - 1 };
  fs.mknod(files, "our-disk", { kind: S_IFBLK, mode: 0o640, rdev });
  fs.create(files, new Uint8Array([0xff, 0x80]), { mode: 0o4711 });
}

function changeLargeDirectory(fs: Filesystem, paths: Paths): void {
  const large = paths.resolve("/large");
  for (let n = 1; n <= 2500; n += 3) {
    const name = `a rather long name for the entry number ${n}`;
    if (name.includes("77")) continue;
    if (n % 2 === 1) fs.unlink(large, name);
    else fs.rename(large, name, large, `renamed ${n}`);
  }
  for (let n = 0; n < 700; n++) fs.create(large, `ours ${n}`, { mode: 0o644 });
  paths.removeAll("/holes");
}

function changeAttributes(fs: Filesystem, paths: Paths): void {
  const inode = (path: string): number => paths.resolve(path);
  fs.setattr(inode("/files/b300"), { mode: 0o7111, uid: 1 << 20, gid: 65_536 });
  fs.setattr(inode("/times/old"), { mtime: { sec: -86_400, nsec: 0 } });
  fs.setattr(inode("/times/nano"), { atime: { sec: 5, nsec: 987_654_321 } });
  fs.setattr(inode("/times/late"), { mtime: { sec: 2 ** 33, nsec: 1 } });
  fs.setattr(inode("/times/soon"), { ctime: { sec: 1e9, nsec: 5 } });
}

function changeXattrs(fs: Filesystem, paths: Paths): void {
  const inode = (name: string): number => paths.resolve(`/xattrs/${name}`);
  const value = (text: string): Uint8Array => new TextEncoder().encode(text);
  fs.setxattr(inode("one"), "user.same", value("not any more"));
  fs.setxattr(inode("two"), "user.added", value("to a shared block"));
  fs.removexattr(inode("three"), "user.same");
  paths.remove("/xattrs/four");
  fs.removexattr(inode("own"), "user.large");
  fs.setxattr(inode("own"), "user.binary", new Uint8Array([1, 0, 255]));
  const files = paths.resolve("/files");
  fs.setxattr(files, "trusted.ours", value("directory"));
  for (const name of ["user.b", "security.a", "user.a", "trusted.long-name"]) {
    fs.setxattr(paths.resolve("/files/ours"), name, value(name));
  }
}
