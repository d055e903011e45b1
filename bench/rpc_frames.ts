/**
 * Requests that are made before the time is taken.
 *
 * @module
 */

import { type Arguments, operationNamed } from "../rpc/mod.ts";
import type { OperationName } from "../rpc/mod.ts";
import { FrameWriter } from "../rpc/frame_writer.ts";
import { writeFields } from "../rpc/wire_types.ts";

/** The first id, and the last: all of them take three bytes. */
const ID_MIN = 0x100;
const ID_MAX = 0xffff;

/** Bytes of a request of the yardstick. */
export const ECHO_REQUEST = 32;

/** Frames one after the other. */
export class Requests {
  /** Where each of them ends. */
  readonly ends: number[] = [];
  #bytes = new Uint8Array(1 << 16);

  /** Number of requests. */
  get count(): number {
    return this.ends.length;
  }

  /** All of them. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.ends.at(-1) ?? 0);
  }

  /** Adds a request of the protocol. */
  add<K extends OperationName>(name: K, args: Arguments<K>): void {
    const { argumentNames: names, ...operation } = operationNamed(name);
    const id = ID_MIN + this.count;
    if (id > ID_MAX) throw new RangeError("Cannot make so many requests");
    const encode = (room: number): FrameWriter => {
      const writer = new FrameWriter(new Uint8Array(room));
      writer.begin(2 + names.length);
      writer.int(id);
      writer.int(operation.number);
      writeFields(writer, operation.arguments, names, args);
      const needed = writer.end();
      return needed > 0 ? encode(needed) : writer;
    };
    const writer = encode(512);
    this.addBytes(writer.buffer.subarray(0, writer.length));
  }

  /** Adds a request as it is sent. */
  addBytes(bytes: Uint8Array): void {
    const at = this.bytes.length;
    if (at + bytes.length > this.#bytes.length) {
      const larger = new Uint8Array((at + bytes.length) * 2);
      larger.set(this.bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, at);
    this.ends.push(at + bytes.length);
  }
}

/** A request of the yardstick: it is answered with `size` bytes. */
export function echoRequest(size: number): Uint8Array {
  const request = new Uint8Array(ECHO_REQUEST);
  new DataView(request.buffer).setUint32(0, size);
  return request;
}
