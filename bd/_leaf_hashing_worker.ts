/**
 * The thread of a {@linkcode LeafHasher}: hashes the blocks of the runs that
 * it is sent, in the order in which they come.
 *
 * @module
 */

import { type BlockHash, createBlockHash } from "./hmac.ts";
import { type FromThread, hashBlocks, type ToThread } from "./leaf_hashing.ts";

/** What a worker has and the types of a main thread do not tell. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToThread>) => void) | null;
  postMessage(message: FromThread, transfer?: Transferable[]): void;
  close(): void;
}

function listen(scope: WorkerScope): void {
  let hash: BlockHash | null = null;
  let blockSize = 0;
  scope.onmessage = ({ data }): void => {
    if (data === null) {
      hash?.wipe();
      scope.close();
    } else if (data instanceof Uint8Array) {
      const digests = hashBlocks(hash!, data, blockSize);
      scope.postMessage({ digests, bytes: data }, [
        data.buffer as ArrayBuffer,
        digests.buffer as ArrayBuffer,
      ]);
    } else {
      hash = createBlockHash(data.algorithm, data.key);
      data.key?.fill(0);
      blockSize = data.blockSize;
    }
  };
  scope.postMessage("ready");
}

listen(globalThis as unknown as WorkerScope);
