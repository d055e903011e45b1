/**
 * Why a volume cannot be opened, besides a wrong key.
 *
 * @module
 */

/** There is no volume at the place named. */
export class NotAVolumeError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "NotAVolumeError";
}

/**
 * A file of the volume is not what was written there, or not what this version
 * can read: damaged, cut short, exchanged, or an old copy.
 */
export class VolumeIntegrityError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "VolumeIntegrityError";
}

/** A change of keys that makes no sense for this volume; nothing was done. */
export class KeySlotError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "KeySlotError";
}

/**
 * What the user says about the anchor does not fit the volume; nothing was
 * done.
 */
export class AnchorOptionError extends Error {
  /** The name of the class, for messages. */
  override readonly name = "AnchorOptionError";
}
