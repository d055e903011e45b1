/**
 * A transport that counts what the client asks for, and holds replies back.
 *
 * @module
 */

import { decodeMessage, REQUEST_ITEMS_MAX } from "../../rpc/codec.ts";
import { FrameSplitter } from "../../rpc/frame.ts";
import {
  dial,
  type Endpoint,
  type Peer,
  type Transport,
} from "../../rpc/mod.ts";

/** A layer over a transport: requests pass, replies wait while it is closed. */
export class GateTransport implements Transport {
  /** Whom the transport below leads to. */
  readonly peer: Peer;
  /** The numbers of the operations that were asked for, in order. */
  readonly asked: number[] = [];
  /** The gate closes when this operation is asked for. */
  holdAt: number | null = null;
  readonly #next: Transport;
  readonly #splitter = new FrameSplitter(new Uint8Array(4 << 20), 4 << 20);
  #opened: Promise<void> = Promise.resolve();
  #open = (): void => {};

  /** Stands on `next`. */
  constructor(next: Transport) {
    this.#next = next;
    this.peer = next.peer;
  }

  /** Connects to `endpoint` through a gate. */
  static async dial(endpoint: Endpoint): Promise<GateTransport> {
    return new GateTransport(await dial(endpoint));
  }

  /** How often the operation of this number was asked for. */
  count(operation: number): number {
    return this.asked.filter((one) => one === operation).length;
  }

  /** From now on replies wait. */
  hold(): void {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  /** Lets the replies pass. */
  release(): void {
    this.#open();
  }

  /** Reads, when the gate is open. */
  async read(into: Uint8Array): Promise<number | null> {
    await this.#opened;
    const count = await this.#next.read(into);
    await this.#opened;
    return count;
  }

  /** Writes, and takes note of what is asked. */
  async write(from: Uint8Array): Promise<void> {
    const splitter = this.#splitter;
    splitter.space().set(from);
    splitter.received(from.length);
    for (let frame = splitter.next(); frame; frame = splitter.next()) {
      const [, operation] = decodeMessage(frame, REQUEST_ITEMS_MAX);
      this.asked.push(operation);
      if (operation === this.holdAt) this.hold();
    }
    await this.#next.write(from);
  }

  /** Ends the stream. */
  close(): void {
    this.release();
    this.#next.close();
  }
}
