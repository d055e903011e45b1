/**
 * The masks of XTS in WebAssembly, on vectors of 128 bits.
 *
 * JavaScript's numbers have 32 bits for this: with four of them a mask takes
 * half as long as the native AES that it surrounds, with a vector a tenth. The
 * module is two loops, assembled here instruction by instruction, so that what
 * runs can be read. Numbers of opcodes and sections are those of the
 * WebAssembly Core Specification 2.0, chapter 5.
 *
 * @module
 */

import { RUN_BYTES_MAX } from "./block_mode.ts";
import type { XtsMasks, XtsMaskSize } from "./xts_masks.ts";

/** Memory: the run from byte 0 on, then its masks, then the tweaks. */
const MASKS_AT = RUN_BYTES_MAX;
const TWEAKS_AT = 2 * RUN_BYTES_MAX;
const PAGE_BYTES = 65536;

type Code = readonly number[];

/** An unsigned number, seven bits a byte (LEB128; section 5.2.2). */
const unsigned = (n: number): Code =>
  n < 0x80 ? [n] : [n & 0x7f | 0x80, ...unsigned(n >>> 7)];
/** A vector of encoded items, behind its length (section 5.1.3). */
const vector = (...items: Code[]): Code => [
  ...unsigned(items.length),
  ...items.flat(),
];
/** Code behind its size in bytes. */
const sized = (...code: Code[]): Code => [
  ...unsigned(code.flat().length),
  ...code.flat(),
];
const section = (id: number, content: Code): Code => [id, ...sized(content)];
const name = (text: string): Code =>
  sized(Array.from(text, (letter) => letter.charCodeAt(0)));

const I32 = 0x7f;
const V128 = 0x7b;

// Instructions (section 5.4). Vector instructions have the prefix 0xfd;
// accesses are aligned to 2^4 bytes.
const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const tee = (local: number): Code => [0x22, local];
/** A constant below 64: one byte, since its sign is bit 6. */
const constant = (n: number): Code => [0x41, n];
const ADD: Code = [0x6a];
const LESS: Code = [0x49];
const load = (offset = 0): Code => [0xfd, 0x00, 4, ...unsigned(offset)];
const store = (offset = 0): Code => [0xfd, 0x0b, 4, ...unsigned(offset)];
const vectorConstant = (...bytes: number[]): Code => [0xfd, 0x0c, ...bytes];
const shuffle = (...lanes: number[]): Code => [0xfd, 0x0d, ...lanes];
const AND: Code = [0xfd, 0x4e];
const XOR: Code = [0xfd, 0x51];
const SHIFT_LEFT: Code = [0xfd, ...unsigned(0xab)];
const SHIFT_RIGHT_SIGNED: Code = [0xfd, ...unsigned(0xac)];
/** Runs `body`, and again as long as it leaves a number other than 0. */
const repeatWhile = (...body: Code[]): Code => [
  ...[0x03, 0x40],
  ...body.flat(),
  ...[0x0d, 0],
  0x0b,
];
/** A function: its locals behind the parameters, then what it does. */
const code = (locals: Code, ...body: Code[]): Code =>
  sized(locals, body.flat(), [0x0b]);

/** Adds 16, the size of a unit, to a local; leaves the sum. */
const advance = (local: number): Code => [
  ...get(local),
  ...constant(16),
  ...ADD,
  ...tee(local),
];
const DROP: Code = [0x1a];

/** apply(tweak, end, blockSize): where tweaks start, where the run ends. */
const APPLY = ((): Code => {
  const [tweak, end, blockSize] = [0, 1, 2];
  const [at, blockEnd, mask, signs] = [3, 4, 5, 6];
  // Multiplies the mask by α: each 32-bit lane is shifted by itself, and its
  // sign bit goes to the lowest bit of the next lane; that of the last lane
  // goes round and becomes 0x87.
  const multiply: Code = [
    ...[...get(mask), ...constant(31), ...SHIFT_RIGHT_SIGNED, ...tee(signs)],
    ...get(signs),
    ...shuffle(12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
    ...vectorConstant(0x87, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0),
    ...AND,
    ...[...get(mask), ...constant(1), ...SHIFT_LEFT],
    ...[...XOR, ...set(mask)],
  ];
  return code(
    vector([2, I32], [2, V128]),
    repeatWhile(
      [...get(tweak), ...load(), ...set(mask)],
      [...get(at), ...get(blockSize), ...ADD, ...set(blockEnd)],
      repeatWhile(
        [...get(at), ...get(mask), ...store(MASKS_AT)],
        [...get(at), ...get(at), ...load(), ...get(mask), ...XOR, ...store()],
        multiply,
        [...advance(at), ...get(blockEnd), ...LESS],
      ),
      [...advance(tweak), ...DROP],
      [...get(at), ...get(end), ...LESS],
    ),
  );
})();

/** repeat(end): where the run ends. */
const REPEAT = ((): Code => {
  const [end, at] = [0, 1];
  return code(
    vector([1, I32]),
    repeatWhile(
      get(at),
      [...get(at), ...load(), ...get(at), ...load(MASKS_AT), ...XOR],
      store(),
      [...advance(at), ...get(end), ...LESS],
    ),
  );
})();

/** The module (section 5.5), which imports its memory. */
const MODULE: Uint8Array<ArrayBuffer> = new Uint8Array([
  ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  // Types of functions: parameters, and no results.
  ...section(
    1,
    vector(
      [0x60, ...vector([I32], [I32], [I32]), 0],
      [0x60, ...vector([I32]), 0],
    ),
  ),
  // A memory of at least 0 pages.
  ...section(2, vector([...name("run"), ...name("memory"), 2, 0, 0])),
  ...section(3, vector([0], [1])),
  ...section(
    7,
    vector([...name("apply"), 0, 0], [...name("repeat"), 0, 1]),
  ),
  ...section(10, vector(APPLY, REPEAT)),
]);

interface Exports {
  apply(tweak: number, end: number, blockSize: number): void;
  repeat(end: number): void;
}

let compiled: WebAssembly.Module | undefined;

/**
 * The masks on vectors; null where the runtime has no WebAssembly, or none
 * with vectors, or no memory for it.
 */
export function simdMasks(size: XtsMaskSize): XtsMasks | null {
  const bytes = TWEAKS_AT + size.tweakCount * 16;
  const pages = Math.ceil(bytes / PAGE_BYTES);
  try {
    compiled ??= new WebAssembly.Module(MODULE);
    // It never grows, so that views of it stay valid.
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const { exports } = new WebAssembly.Instance(compiled, { run: { memory } });
    return new SimdMasks(memory, exports as unknown as Exports, size);
  } catch {
    return null;
  }
}

class SimdMasks implements XtsMasks {
  readonly data: Uint8Array;
  readonly tweaks: Uint8Array;
  readonly #memory: Uint8Array;
  readonly #exports: Exports;
  readonly #blockSize: number;

  constructor(
    memory: WebAssembly.Memory,
    exports: Exports,
    { blockSize, tweakCount }: XtsMaskSize,
  ) {
    this.#memory = new Uint8Array(memory.buffer);
    this.data = this.#memory.subarray(0, RUN_BYTES_MAX);
    this.tweaks = this.#memory.subarray(TWEAKS_AT, TWEAKS_AT + 16 * tweakCount);
    this.#exports = exports;
    this.#blockSize = blockSize;
  }

  apply(first: number, count: number): void {
    const size = this.#blockSize;
    this.#exports.apply(TWEAKS_AT + 16 * first, count * size, size);
  }

  repeat(count: number): void {
    this.#exports.repeat(count * this.#blockSize);
  }

  wipe(): void {
    this.#memory.fill(0);
  }
}
