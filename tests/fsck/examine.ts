/**
 * What is done with a damage case: the volume is damaged, checked, repaired
 * and compared, by our check and by e2fsck.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { FaultyDevice } from "../../bd/faulty.ts";
import { isZero } from "../../bd/bytes.ts";
import type { MemoryDevice } from "../../bd/memory.ts";
import {
  type CheckMode,
  type CheckReport,
  checkVolume,
  PROBLEM_KINDS,
} from "../../fs/check/mod.ts";
import { assertDeviceClean, loadImage, saveImage } from "../support/images.ts";
import { debugfsWrite, run, withTempDir } from "../support/tools.ts";
import type { DamageCase } from "./case.ts";
import { Damage } from "./damage.ts";
import { describe, type Description, differences } from "./describe.ts";
import type { Specimen } from "./specimen.ts";

/** A volume with blocks that cannot be read until they are written. */
export class Patient {
  /** What is stored. */
  readonly stored: MemoryDevice;
  /** What can be read of it. */
  readonly device: FaultyDevice;
  readonly #unreadable: Set<number>;

  /** Takes a volume over. */
  constructor(stored: MemoryDevice, unreadable: Iterable<number> = []) {
    this.stored = stored;
    this.device = new FaultyDevice(stored);
    this.#unreadable = new Set(unreadable);
    this.device.rule = ({ kind, block, count }) => {
      for (let i = block; i < block + count; i++) {
        if (!this.#unreadable.has(i)) continue;
        if (kind === "read") return "EIO";
        this.#unreadable.delete(i);
      }
      return null;
    };
  }

  /** The same, independent of this one. */
  copy(): Patient {
    return new Patient(this.stored.copy(), this.#unreadable);
  }

  /** Checks it; blocks that cannot be read are known from a scrub. */
  check(mode: CheckMode): Promise<CheckReport> {
    const unreadable = [...this.#unreadable].map((start) => {
      return { start, count: 1 };
    });
    return checkVolume(this.device, { mode, unreadable });
  }
}

/** Asserts that a device is as `before`, a copy that was made of it. */
export function assertUntouched(
  device: MemoryDevice,
  before: MemoryDevice,
  when: string,
): void {
  const was = new Map([...before.extents()].map(({ position, bytes }) => {
    return [position, bytes];
  }));
  for (const { position, bytes } of device.extents()) {
    const old = was.get(position);
    was.delete(position);
    assert.ok(
      old ? Buffer.compare(old, bytes) === 0 : isZero(bytes),
      `the blocks from byte ${position} on were changed ${when}`,
    );
  }
  assert.equal(was.size, 0);
}

/** What `e2fsck -fn` says of a device. */
export function e2fsck(
  device: MemoryDevice,
): Promise<{ finds: boolean; output: string }> {
  return withTempDir(async (dir) => {
    await saveImage(device, `${dir}/volume.img`);
    const args = ["20", "e2fsck", "-fn", `${dir}/volume.img`];
    const { code, stdout, stderr } = await run("timeout", ...args);
    // It asks about some problems that it does not mind to leave.
    const finds = code !== 0 || /\? no$/m.test(stdout);
    return { finds, output: `exit ${code}\n${stdout}${stderr}` };
  });
}

/** The codes of a report, each once. */
export function codes(report: CheckReport): string[] {
  return [...new Set(report.problems.map(({ code }) => code))];
}

/** The lines of a report, for messages. */
export function lines(report: CheckReport): string {
  return report.problems.map(({ code, inode, message }) => {
    return `${code}${inode === undefined ? "" : ` inode ${inode}`}: ${message}`;
  }).join("\n");
}

/** Whether a path may change, by what a case says. */
export function mayChange(path: string, hits: readonly string[]): boolean {
  if (path === "/lost+found" || path.startsWith("/lost+found/")) return true;
  return hits.some((hit) => {
    if (hit === "*" || hit === path) return true;
    if (hit === "/small" && path.startsWith("/large/")) return true;
    return hit.length > 1 && hit.endsWith("/") && path.startsWith(hit);
  });
}

/** Runs a case on a specimen; see the module. */
export async function examine(
  damageCase: DamageCase,
  specimen: Specimen,
): Promise<void> {
  const { code, hits = [], unknownToE2fsck } = damageCase;
  const { before } = specimen;
  const moved = damageCase.moved?.(new Damage(specimen.device, specimen)) ?? {};
  const patient = await damaged(damageCase, specimen);
  const { stored } = patient;
  const found = await findsIt(damageCase, patient);
  await preens(patient.copy(), found);
  if (unknownToE2fsck === undefined) {
    const { finds, output } = await e2fsck(stored);
    assert.ok(finds, `e2fsck finds nothing: ${output}`);
  }
  const { lost = false } = PROBLEM_KINDS[code];
  const repaired = await patient.check("repair");
  assert.ok(repaired.complete);
  assert.equal(repaired.isSound, !lost, `sound:\n${lines(repaired)}`);
  await staysSound(patient, lost ? code : null);
  const after = describe(patient.device);
  const changed = differences(before, after, (path) => mayChange(path, hits));
  assert.deepEqual(changed, [], `${lines(repaired)}\n${changed.join("\n")}`);
  assertMoved(before, after, moved);
}

/** A volume with the damage of a case. */
async function damaged(
  { damage, debugfs, unreadable, isLeftOpen }: DamageCase,
  specimen: Specimen,
): Promise<Patient> {
  let stored = (isLeftOpen ? specimen.left : specimen.device).copy();
  const image = new Damage(stored, specimen);
  damage?.(image);
  if (debugfs) stored = await byDebugfs(stored, debugfs(image));
  return new Patient(stored, unreadable?.(image));
}

/** What is left of a volume when debugfs has done as it was told. */
function byDebugfs(
  device: MemoryDevice,
  requests: readonly string[],
): Promise<MemoryDevice> {
  return withTempDir(async (dir) => {
    const path = `${dir}/volume.img`;
    await saveImage(device, path);
    for (const request of requests) await debugfsWrite(path, request);
    return await loadImage(path);
  });
}

/** Asserts that a check finds the case's problem, and changes nothing. */
async function findsIt(
  { code, also = [] }: DamageCase,
  patient: Patient,
): Promise<CheckReport> {
  const bytes = patient.stored.copy();
  const report = await patient.check("check");
  assertUntouched(patient.stored, bytes, "by a check");
  assert.equal(report.changed, false);
  assert.equal(report.repaired, 0);
  for (const wanted of [code, ...also]) {
    assert.ok(
      codes(report).includes(wanted),
      `${wanted} is not among what is found:\n${lines(report)}`,
    );
  }
  const { note = false } = PROBLEM_KINDS[code];
  if (!note) assert.equal(report.isClean, false);
  return report;
}

/** Asserts that `preen` repairs what is safe, if that is all there is. */
async function preens(patient: Patient, found: CheckReport): Promise<void> {
  const bytes = patient.stored.copy();
  const report = await patient.check("preen");
  if (found.problems.every(({ code }) => PROBLEM_KINDS[code].preen)) {
    assert.equal(report.isSound, true, `preen leaves:\n${lines(report)}`);
    await staysSound(patient, null);
    return;
  }
  assertUntouched(patient.stored, bytes, "though more than preening is due");
  assert.equal(report.isSound, false);
  assert.equal(report.repaired, 0);
}

/** Asserts that nothing but what is lost is found any more, by anybody. */
async function staysSound(
  patient: Patient,
  lost: string | null,
): Promise<void> {
  const second = await patient.check("check");
  assert.deepEqual(codes(second), lost === null ? [] : [lost], lines(second));
  assert.equal(second.isClean, lost === null);
  await assertDeviceClean(patient.stored, "after the repair");
}

/** Asserts that files which have lost their place are whole elsewhere. */
function assertMoved(
  before: Description,
  after: Description,
  moved: Readonly<Record<string, string>>,
): void {
  for (const [path, old] of Object.entries(moved)) {
    assert.equal(after.get(path), before.get(old), `${old}, now at ${path}`);
  }
}
