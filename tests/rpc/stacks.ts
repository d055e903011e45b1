/**
 * Tests of the server that run over every device.
 *
 * @module
 */

import type { BlockDevice } from "../../bd/block_device.ts";
import {
  DEVICE_STACKS,
  type DeviceStack,
  StackStore,
} from "../support/device_stacks.ts";
import { assertDeviceClean } from "../support/images.ts";
import { Served, type ServedOptions } from "./harness.ts";

/** 8 MiB. */
const SHAPE = { blockSize: 4096, blockCount: 2048 };

/** Little, so that blocks are read and written all the time. */
const CACHE_BYTES = 256 << 10;

/** Serves a new volume; `below` puts a layer below all others. */
export type Serve = (
  options?: Omit<ServedOptions, "device" | "cacheSize">,
  below?: (image: BlockDevice) => BlockDevice,
) => Promise<Served>;

/**
 * Declares a test for each device. What it has served, and closed, is verified
 * and checked by e2fsck in the end.
 */
export function testOnStacks(
  name: string,
  fn: (serve: Serve) => Promise<void>,
): void {
  for (const stack of DEVICE_STACKS) {
    Deno.test(`${name}: ${stack.name}`, () => runOn(stack, fn));
  }
}

async function runOn(
  stack: DeviceStack,
  fn: (serve: Serve) => Promise<void>,
): Promise<void> {
  const stores: StackStore[] = [];
  await fn(async (options, below) => {
    const store = StackStore.create(stack, SHAPE);
    stores.push(store);
    const device = store.open(below);
    const served = await Served.start({
      ...{ ...options, device, cacheSize: CACHE_BYTES },
    });
    // Nothing else makes a volume durable that is served read-only.
    await device.flush();
    return served;
  });
  for (const store of stores) await assertDeviceClean(store.plain());
}
