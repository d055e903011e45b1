/**
 * What a damage case is.
 *
 * @module
 */

import type { ProblemCode } from "../../fs/check/mod.ts";
import type { Damage } from "./damage.ts";
import type { SpecimenKind } from "./specimen.ts";

/** One way in which a volume is damaged, and what must be found. */
export interface DamageCase {
  /** The row of the table of problems that must be reported. */
  readonly code: ProblemCode;
  /** What is wrong, for the name of the test. */
  readonly name: string;
  /** Does the damage. */
  readonly damage?: (image: Damage) => void;
  /** Requests to debugfs that do it. */
  readonly debugfs?: (image: Damage) => readonly string[];
  /**
   * Paths of the files that the damage, or what mends it, changes; what lies
   * below a directory named here may change as well, with a `/` at its end;
   * `*` for any.
   */
  readonly hits?: readonly string[];
  /**
   * Where files are afterwards that have lost their place: by the new path,
   * the old one. What such a file is must not have changed.
   */
  readonly moved?: (image: Damage) => Readonly<Record<string, string>>;
  /** The specimens that can have it; all if absent. */
  readonly on?: (kind: SpecimenKind) => boolean;
  /** Blocks that cannot be read, once the damage is done. */
  readonly unreadable?: (image: Damage) => readonly number[];
  /** Damages the specimen that was left open. */
  readonly isLeftOpen?: true;
  /** Why e2fsck has nothing to say against it, if it has not. */
  readonly unknownToE2fsck?: string;
  /** Further codes that must be reported with it. */
  readonly also?: readonly ProblemCode[];
}

/** The path of an inode that had none. */
export const lost = (ino: number): string => `/lost+found/#${ino}`;

/** Specimens with features: filetypes, sparse backups, attributes. */
export const withFeatures = ({ hasFeatures }: SpecimenKind): boolean =>
  hasFeatures;

/** Specimens with inodes of 256 bytes. */
export const withLargeInodes = ({ inodeSize }: SpecimenKind): boolean =>
  inodeSize === 256;

/** Specimens without hash trees. */
export const withoutIndex = ({ isIndexed }: SpecimenKind): boolean =>
  !isIndexed;

/** Specimens with hash trees. */
export const withIndex = ({ isIndexed }: SpecimenKind): boolean => isIndexed;
