/**
 * One connection's conversation: requests in, replies out, no sockets.
 *
 * @module
 */

import { FsError } from "../fs/errors.ts";
import { type Filesystem, GuardedFilesystem, Paths } from "../fs/mod.ts";
import { BadMessageError, decodeMessage, REQUEST_ITEMS_MAX } from "./codec.ts";
import { carryOutSteps } from "./compound.ts";
import { Descriptors } from "./descriptors.ts";
import { ExportedTree } from "./exported_tree.ts";
import { type Failure, failureOf, writeFailure } from "./failure.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { type Call, HANDLERS } from "./handlers/mod.ts";
import {
  FRAME_OVERHEAD,
  HELLO_FRAME_MAX,
  MAGIC,
  SMALL_REPLY,
  VERSION,
} from "./limits.ts";
import {
  type Arguments,
  type CompoundStep,
  type HelloReply,
  type NumberedOperation,
  operationNamed,
  operationNumbered,
} from "./operations/mod.ts";
import { Mounts } from "./mounts.ts";
import { ProtocolError } from "./protocol_error.ts";
import type { SessionOptions } from "./session_options.ts";
import { readFields, WireTypeError, writeFields } from "./wire_types.ts";
import { ENTRIES_MAX } from "./wire_values.ts";

/** A request as it was understood. */
export interface Request {
  /** Its id; 0 if it had none. */
  readonly id: number;
  /** Bytes of its frame. */
  readonly size: number;
  /** Bytes its reply does not exceed, with the frame's prefix. */
  readonly replySize: number;
  /** True if the connection ends after the reply. */
  readonly isLast: boolean;
  /** True if later requests are carried out when it was answered. */
  readonly inOrder: boolean;
  /** What is asked, or why nothing can be done. */
  readonly content: RequestContent | { readonly failure: unknown };
}

interface RequestContent {
  readonly operation: NumberedOperation;
  readonly args: Readonly<Record<string, unknown>>;
}

/** Writes a reply that came after its batch. */
export type LateReply = (to: FrameWriter) => void;

type AnyHandler = (session: Session, args: unknown, call: Call) => unknown;

/** One connection's state, and its dispatch. */
export class Session {
  /** The engine, for what concerns all of the volume. */
  readonly fs: Filesystem;
  /** The engine, within what the session's credentials allow. */
  readonly files: GuardedFilesystem;
  /** The same by path. */
  readonly paths: Paths<GuardedFilesystem>;
  /** The open files. */
  readonly descriptors: Descriptors;
  /** Where the volume is in paths of the original's operations. */
  readonly mounts: Mounts = new Mounts();
  /** Who and what the session is for, and its limits. */
  readonly options: SessionOptions;
  readonly #waiting = new Map<number, AbortController>();
  #limits: HelloReply | null = null;

  /** Starts a conversation about `fs`. */
  constructor(fs: Filesystem, options: SessionOptions) {
    this.fs = fs;
    this.options = options;
    const { credentials, readOnly, root } = options;
    const confinement = ExportedTree.of(fs, root);
    const limits = { credentials, readOnly, confinement };
    this.files = new GuardedFilesystem(fs, limits);
    this.paths = new Paths(this.files, { root });
    this.descriptors = new Descriptors(this.files, options.maxDescriptors);
  }

  /** What was agreed in the hello. */
  get limits(): HelloReply {
    if (this.#limits === null) throw new ProtocolError("No hello was made");
    return this.#limits;
  }

  /** True once the hello was made. */
  get established(): boolean {
    return this.#limits !== null;
  }

  /** The longest frame that the client may send now, in bytes. */
  get maxFrame(): number {
    return this.#limits?.maxFrame ?? HELLO_FRAME_MAX;
  }

  /** Understands a frame; what is wrong with it becomes its reply. */
  parse(frame: Uint8Array): Request {
    let id = 0;
    try {
      const message = decodeMessage(frame, REQUEST_ITEMS_MAX);
      id = message[0];
      if (id === 0) {
        throw new ProtocolError(
          "Cannot accept a request whose id is 0: ids begin with 1",
        );
      }
      const hello = message[1] === operationNamed("hello").number;
      if (hello === this.established) {
        throw new ProtocolError(
          hello
            ? "The hello was made already"
            : "Cannot serve a connection before its hello",
        );
      }
      return this.#parseArguments(id, message, frame.length);
    } catch (error) {
      if (error instanceof BadMessageError) id = error.id;
      return failedRequest(id, error, true);
    }
  }

  /**
   * Null if a request may be carried out at once. If it changes the volume and
   * there is no room for changes now: resolves when that may be so again.
   */
  room({ content }: Request): Promise<void> | null {
    if ("failure" in content) return null;
    const { operation: { mutates, harmless }, args } = content;
    return mutates && !harmless?.(args) ? this.fs.room() : null;
  }

  /**
   * Carries out a request and writes its reply. Returns null, or, if the reply
   * waits for something, a promise of what will write it.
   */
  execute(request: Request, to: FrameWriter): Promise<LateReply> | null {
    const { id, content } = request;
    if ("failure" in content) {
      this.#writeError(to, id, content.failure);
      return null;
    }
    const { operation } = content;
    let waits = false;
    // Another request of the same id may be waiting: that is not over.
    const end = (): void => {
      if (waits) this.#waiting.delete(id);
    };
    const signal = (): AbortSignal => {
      const signal = this.#signalFor(id);
      waits = true;
      return signal;
    };
    try {
      const results = this.#carryOut(content, { signal });
      if (results instanceof Promise) {
        return results.finally(end).then(
          (value) => (late) => this.#writeReply(late, id, operation, value),
          (error) => (late) => this.#writeError(late, id, error),
        );
      }
      end();
      this.#writeReply(to, id, operation, results);
    } catch (error) {
      end();
      this.#writeError(to, id, error);
    }
    return null;
  }

  /** Carries out a step of a compound, which cannot wait for other clients. */
  step(operation: CompoundStep["operation"], args: unknown): unknown {
    const { name } = operation as NumberedOperation;
    const handler = HANDLERS[name as keyof typeof HANDLERS] as AnyHandler;
    return handler(this, args, { signal: refuseToWait });
  }

  /** Closes a descriptor, and gives up what was locked through it. */
  closeDescriptor(descriptor: number): void {
    try {
      this.descriptors.close(descriptor);
    } finally {
      this.options.locks.releaseDescriptor(this, descriptor);
    }
  }

  /** Ends the waiting of request `id`; false if nothing of that id waits. */
  cancel(id: number): boolean {
    const controller = this.#waiting.get(id);
    controller?.abort(new FsError("ECANCELED"));
    return controller !== undefined;
  }

  /** Ends the waiting of all requests that wait for other clients. */
  cancelAll(): void {
    for (const id of [...this.#waiting.keys()]) this.cancel(id);
  }

  /** Ends the conversation: gives up all that it holds. */
  close(): void {
    this.cancelAll();
    this.options.locks.releaseSession(this);
    for (const error of this.descriptors.closeAll()) {
      this.report("Cannot close a file of a connection that ended", error);
    }
  }

  /** Tells the server's log what the client cannot be told. */
  report(action: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.options.log(`${action}: ${reason}`);
  }

  /** What the client is told of an error; the log gets what it is not told. */
  failure(error: unknown): Failure {
    return failureOf(error, () => {
      this.report("Cannot carry out a request", error);
    });
  }

  #carryOut({ operation, args }: RequestContent, call: Call): unknown {
    switch (operation.name) {
      case "hello":
        return this.#hello(args as unknown as Arguments<"hello">);
      case "compound": {
        const { steps } = args as unknown as Arguments<"compound">;
        return carryOutSteps(this, steps);
      }
      default:
        return (HANDLERS[operation.name] as AnyHandler)(this, args, call);
    }
  }

  /** What tells the request `id`, which is going to wait, that it is over. */
  #signalFor(id: number): AbortSignal {
    if (this.#waiting.has(id)) {
      throw new FsError("EINVAL", "a request of the same id waits");
    }
    const controller = new AbortController();
    this.#waiting.set(id, controller);
    return controller.signal;
  }

  #parseArguments(
    id: number,
    message: readonly unknown[],
    size: number,
  ): Request {
    const operation = operationNumbered(message[1] as number);
    if (operation === undefined) {
      return failedRequest(id, new FsError("ENOSYS"), false);
    }
    try {
      const args = readFields(
        operation.arguments,
        operation.argumentNames,
        message,
        2,
      );
      const replySize = operation.replySize?.(args) ?? SMALL_REPLY;
      return {
        id,
        size,
        replySize,
        isLast: operation.name === "goodbye",
        inOrder: operation.name === "compound",
        content: { operation, args },
      };
    } catch (error) {
      if (!(error instanceof WireTypeError)) throw error;
      const failure = new FsError(error.code, error.message);
      return failedRequest(id, failure, !this.established);
    }
  }

  #hello(args: Arguments<"hello">): HelloReply {
    const { magic, version, maxFrame, maxInFlight } = args;
    if (magic !== MAGIC || version < VERSION) {
      throw new ProtocolError(
        `This server speaks "${MAGIC}" version ${VERSION}`,
      );
    }
    const { options } = this;
    const agreed = Math.min(maxFrame, options.maxFrame);
    this.#limits = {
      version: VERSION,
      maxFrame: agreed,
      // So that a write is done as a whole or not at all.
      maxData: Math.min(agreed - FRAME_OVERHEAD, this.fs.transferMax),
      maxInFlight: Math.min(maxInFlight, options.maxInFlight),
      maxDescriptors: options.maxDescriptors,
      maxLocks: options.maxLocks,
      maxTables: options.maxTables,
      maxEntries: ENTRIES_MAX,
      idleTimeout: options.idleTimeout,
      readOnly: this.files.readOnly,
      uid: options.ids.uidToClient(options.credentials.uid),
      gid: options.ids.gidToClient(options.credentials.gid),
      root: this.fs.getattr(options.root),
      extensions: [],
    };
    return this.#limits;
  }

  #writeReply(
    to: FrameWriter,
    id: number,
    operation: NumberedOperation,
    results: unknown,
  ): void {
    const names = operation.resultNames;
    to.begin(2 + names.length);
    to.int(id);
    to.int(0);
    const values = results as Readonly<Record<string, unknown>>;
    writeFields(to, operation.results, names, values);
    if (to.end(this.limits.maxFrame) > 0) {
      throw new FsError("EOVERFLOW", "the reply is longer than a frame");
    }
  }

  #writeError(to: FrameWriter, id: number, error: unknown): void {
    writeFailure(to, id, this.failure(error));
  }
}

function refuseToWait(): AbortSignal {
  throw new FsError("EOPNOTSUPP", "a step of a compound cannot wait");
}

/** A request that can only be answered with an error. */
export function failedRequest(
  id: number,
  failure: unknown,
  isLast: boolean,
): Request {
  const content = { failure };
  const replySize = SMALL_REPLY;
  return { id, size: 0, replySize, isLast, inOrder: false, content };
}
