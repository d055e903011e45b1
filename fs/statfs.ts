/**
 * Use of the whole volume, as `statvfs` and `df` report it.
 *
 * @module
 */

import type { VolumeStatistics } from "./attributes.ts";
import { NAME_MAX } from "./geometry.ts";
import { SUPERBLOCK } from "./superblock.ts";
import type { Volume } from "./volume.ts";

/** See the module. */
export function volumeStatistics(volume: Volume): VolumeStatistics {
  const { geometry } = volume;
  const free = volume.superblock(SUPERBLOCK.s_free_blocks_count);
  const reserved = volume.superblock(SUPERBLOCK.s_r_blocks_count);
  const label = volume.superblockBytes("s_volume_name");
  const end = label.indexOf(0);
  return {
    blockSize: geometry.blockSize,
    blocks: geometry.blocksCount - geometry.overhead(),
    blocksFree: free,
    blocksAvailable: Math.max(free - reserved, 0),
    inodes: geometry.inodesCount,
    inodesFree: volume.superblock(SUPERBLOCK.s_free_inodes_count),
    nameMax: NAME_MAX,
    uuid: volume.superblockBytes("s_uuid"),
    label: new TextDecoder().decode(label.subarray(0, end < 0 ? 16 : end)),
    readOnly: volume.readOnly,
  };
}
