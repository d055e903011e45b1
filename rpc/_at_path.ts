/**
 * What is done with a path: resolve it, act, and say of an error what failed
 * with which path.
 *
 * @module
 */

import type { Attributes } from "../fs/attributes.ts";
import { type Action, naming } from "./_naming.ts";
import { type Place, placeOf, resolve, unlessStale } from "./_remote_path.ts";
import type { Client } from "./client.ts";
import type { FollowOptions, SignalOptions } from "./file_options.ts";

/** Does `act` with the file that a path stands for. */
export function atPath<T>(
  client: Client,
  action: Action,
  options: FollowOptions,
  act: (file: Attributes) => T | Promise<T>,
): Promise<T> {
  return naming(
    client,
    action,
    () =>
      unlessStale(async () =>
        await act(await resolve(client, action.path, options))
      ),
  );
}

/** Does `act` with the directory of a path's last component, and its name. */
export function inDirectory<T>(
  client: Client,
  action: Action,
  options: SignalOptions,
  act: (place: Place) => Promise<T>,
): Promise<T> {
  return naming(
    client,
    action,
    () =>
      unlessStale(async () =>
        await act(await placeOf(client, action.path, options))
      ),
  );
}
