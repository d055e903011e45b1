import assert from "node:assert/strict";
import { VolumeIntegrityError } from "../bd/volume/mod.ts";
import { withTempDir } from "../tests/support/tools.ts";
import { defaults } from "./cli.ts";
import { UsageError } from "./errors.ts";
import { DEVICE_FLAGS, type DeviceValues, openDevice } from "./open_device.ts";

const OPTIONS = { readOnly: true, warn: (): void => {} };

Deno.test("a key that is given for an image is refused", () =>
  withTempDir(async (dir) => {
    const image = `${dir}/image`;
    await Deno.writeFile(image, new Uint8Array(4096));
    const open = (
      given: Partial<DeviceValues>,
    ): ReturnType<typeof openDevice> =>
      openDevice(image, { ...defaults(DEVICE_FLAGS), ...given }, OPTIONS);
    await assert.rejects(
      open({ keyfile: "key" }),
      (error) => error instanceof VolumeIntegrityError,
    );
    // Who says what the image is expects no volume, and has mixed up flags.
    const device = DEVICE_FLAGS["block-device"].parse("bdstd");
    await assert.rejects(
      open({ keyfile: "key", "block-device": device }),
      (error) => {
        assert(error instanceof UsageError);
        assert.match(error.message, /^--keyfile is for volumes/);
        return true;
      },
    );
  }));
