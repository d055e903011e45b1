/**
 * A tree with everything ext2 can hold, made by the kernel's driver.
 *
 * @module
 */

import { must, withMount } from "./tools.ts";
import { describeHost, type Tree } from "./tree.ts";

/** What the volume can hold besides the usual. */
export interface KernelTreeOptions {
  /** Size of a block, in bytes. */
  blockSize: number;
  /** Whether extended attributes work. */
  xattrs: boolean;
  /** Whether `setfacl` can be used. */
  acls: boolean;
}

/** Fills the mounted directory `root`, most of it by one shell script. */
export async function fillByKernel(
  root: string,
  options: KernelTreeOptions,
): Promise<void> {
  const parts = [FILES, NAMES, DIRECTORIES, TIMES];
  if (options.xattrs) parts.push(XATTRS);
  if (options.xattrs && options.acls) parts.push(ACLS);
  const script = ["set -e", 'cd "$1"', "B=$2", ...parts].join("\n");
  await must("bash", "-c", script, "bash", root, String(options.blockSize));
}

/** The tree that the kernel sees on an image. */
export function kernelTree(image: string): Promise<Tree> {
  return withMount(image, "ro,noatime", describeHost);
}

/**
 * Works on in the mounted directory `root` with what `changeEverything()` has
 * made: directories, maps, bitmaps.
 */
export async function changeByKernel(root: string): Promise<void> {
  const script = `
    cd "$1"
    rm -r new
    for n in $(seq 0 2 699); do rm "large/ours $n"; done
    for n in $(seq 500); do : > "large/theirs $n"; done
    mv files/ours large/
    head -c 600000 /dev/urandom >> files/sparse
    truncate -s 100 files/odd
    cp -r large copy
    rm -r large
  `;
  await must("bash", "-ec", script, "bash", root);
}

/** Contents across the direct, indirect and double indirect pointers. */
const FILES = `
mkdir files
printf hello > files/small
: > files/empty
for n in 1 11 12 13 300; do head -c $((n * B)) /dev/urandom > files/b$n; done
head -c $((300 * B + 17)) /dev/urandom > files/odd
truncate -s 5M files/hole
dd if=/dev/urandom of=files/sparse bs=$B count=2 seek=5 status=none
dd if=/dev/urandom of=files/sparse bs=$B count=1 seek=$((12 + B / 4 + 3)) \\
  conv=notrunc status=none
dd if=/dev/urandom of=files/far bs=$B count=1 seek=5000 status=none
truncate -s $((B * 3 + 5)) files/b300
ln files/small files/small-again
ln files/small hard-link
mknod files/null c 1 3
mknod files/disk b 259 70000
mkfifo files/pipe
chmod 6755 files/b1
chown 70000:3000000000 files/b11
`;

/** Names and symbolic links of every length that matters. */
const NAMES = `
mkdir names
for n in 1 58 59 60 61 500 $((B - 1)); do
  ln -s $(head -c $n /dev/zero | tr '\\0' t) names/link$n
done
: > "names/$(head -c 255 /dev/zero | tr '\\0' n)"
: > names/$'bytes\\xff\\xfe\\x01'
: > 'names/space and "quote"'
`;

/** Directories: deep, setgid, with removed entries, and large. */
const DIRECTORIES = `
mkdir -p deep/$(printf 'd/%.0s' $(seq 40))
chgrp 5 deep
chmod 3775 deep
mkdir large
cd large
seq -f 'a rather long name for the entry number %g' 2500 | tr '\\n' '\\0' |
  xargs -0 touch
rm -f *77*
cd ..
mkdir holes
touch holes/f{1..400}
rm -f holes/f{1..399}
rm files/b12
`;

/** Times before 1970, beyond 2038, and with nanoseconds. */
const TIMES = `
mkdir times
touch -d '2024-05-06 07:08:09.123456789 UTC' times/nano
touch -d '1965-01-02 03:04:05 UTC' times/old
touch -d '2030-01-02 03:04:05.999999999 UTC' times/soon
touch -d '2200-01-02 03:04:05.5 UTC' times/late 2> /dev/null || :
`;

/** Attributes that differ, and one block that many files share. */
const XATTRS = `
mkdir xattrs
for f in one two three four; do
  : > xattrs/$f
  setfattr -n user.same -v value-of-all xattrs/$f
  setfattr -n trusted.same -v 0x00ff00 xattrs/$f
done
: > xattrs/own
setfattr -n user.empty xattrs/own
setfattr -n user.binary -v 0x000102fdfeff xattrs/own
setfattr -n security.mine -v x xattrs/own
setfattr -n user.$(head -c 200 /dev/zero | tr '\\0' n) -v y xattrs/own
setfattr -n user.large -v $(head -c 300 /dev/zero | tr '\\0' v) xattrs/own
setfattr -n user.dir -v d xattrs
`;

/** Access control lists, with and without entries for named users. */
const ACLS = `
mkdir acls
: > acls/file
setfacl -m u:1234:rw,g:70000:r acls/file
setfacl -d -m u:1:rwx acls
: > acls/inherits
`;
