/**
 * One connection's conversation: requests in, replies out, no sockets.
 *
 * @module
 */

import type { Credentials } from "../fs/attributes.ts";
import { SUPERUSER } from "../fs/attributes.ts";
import { CorruptError, ERRNO_TEXT, FsError } from "../fs/errors.ts";
import { type Filesystem, Paths, ROOT_INODE } from "../fs/mod.ts";
import { BadMessageError, decodeMessage, REQUEST_ITEMS_MAX } from "./codec.ts";
import { Descriptors } from "./descriptors.ts";
import { statusOf } from "./errno.ts";
import type { FrameWriter } from "./frame_writer.ts";
import { HANDLERS } from "./handlers.ts";
import {
  ERROR_TEXT_MAX,
  FRAME_OVERHEAD,
  HELLO_FRAME_MAX,
  MAGIC,
  SMALL_REPLY,
  VERSION,
} from "./limits.ts";
import type { Arguments, HelloReply, NumberedOperation } from "./operations.ts";
import { operationNamed, operationNumbered } from "./operations.ts";
import { ProtocolError } from "./protocol_error.ts";
import { readFields, WireTypeError, writeFields } from "./wire_types.ts";
import { ENTRIES_MAX } from "./wire_values.ts";

/** What a session may use. */
export interface SessionOptions {
  /** Longest frame of a request and of a reply, in bytes. */
  readonly maxFrame: number;
  /** Most requests in flight. */
  readonly maxInFlight: number;
  /** Most open files. */
  readonly maxDescriptors: number;
  /** Takes a line on what a client cannot be told. */
  readonly log: (message: string) => void;
}

/** A request as it was understood. */
export interface Request {
  /** Its id; 0 if it had none. */
  readonly id: number;
  /** Bytes of its frame. */
  readonly size: number;
  /** Bytes its reply does not exceed, with the frame's prefix. */
  readonly replySize: number;
  /** True if the connection ends after the reply. */
  readonly fatal: boolean;
  /** What is asked, or why nothing can be done. */
  readonly content: RequestContent | { readonly failure: unknown };
}

interface RequestContent {
  readonly operation: NumberedOperation;
  readonly args: Readonly<Record<string, unknown>>;
}

/** Writes a reply that came after its batch. */
export type LateReply = (to: FrameWriter) => void;

type AnyHandler = (session: Session, args: unknown) => unknown;

/** One connection's state, and its dispatch. */
export class Session {
  /** The engine. */
  readonly fs: Filesystem;
  /** The engine's face by path. */
  readonly paths: Paths;
  /** The open files. */
  readonly descriptors: Descriptors;
  /**
   * Whom the connection acts for. A policy will set it when the connection is
   * made; until there is one, whoever can connect is the superuser.
   */
  readonly credentials: Credentials = SUPERUSER;
  readonly #options: SessionOptions;
  #limits: HelloReply | null = null;

  /** Starts a conversation about `fs`. */
  constructor(fs: Filesystem, options: SessionOptions) {
    this.fs = fs;
    this.paths = new Paths(fs);
    this.descriptors = new Descriptors(fs, options.maxDescriptors);
    this.#options = options;
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
    const { operation, args } = content;
    try {
      const results = operation.name === "hello"
        ? this.#hello(args as unknown as Arguments<"hello">)
        : (HANDLERS[operation.name] as AnyHandler)(this, args);
      if (results instanceof Promise) {
        return results.then(
          (value) => (late) => this.#writeReply(late, id, operation, value),
          (error) => (late) => this.#writeError(late, id, error),
        );
      }
      this.#writeReply(to, id, operation, results);
    } catch (error) {
      this.#writeError(to, id, error);
    }
    return null;
  }

  /** Ends the conversation: gives up all that it holds. */
  close(): void {
    for (const error of this.descriptors.closeAll()) {
      this.report("Cannot close a file of a connection that ended", error);
    }
  }

  /** Tells the server's log what the client cannot be told. */
  report(action: string, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#options.log(`${action}: ${reason}`);
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
      const content = { operation, args };
      return { id, size, replySize, fatal: false, content };
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
    const options = this.#options;
    const agreed = Math.min(maxFrame, options.maxFrame);
    this.#limits = {
      version: VERSION,
      maxFrame: agreed,
      // So that a write is done as a whole or not at all.
      maxData: Math.min(agreed - FRAME_OVERHEAD, this.fs.transferMax),
      maxInFlight: Math.min(maxInFlight, options.maxInFlight),
      maxDescriptors: options.maxDescriptors,
      maxEntries: ENTRIES_MAX,
      readOnly: this.fs.readOnly,
      root: this.fs.getattr(ROOT_INODE),
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
    const status = statusOf(error);
    const detail = detailOf(error);
    // What is wrong with the volume is its owner's business as well.
    if (detail === undefined || error instanceof CorruptError) {
      this.report("Cannot carry out a request", error);
    }
    to.begin(3);
    to.int(id);
    to.int(status);
    to.text((detail ?? "").slice(0, ERROR_TEXT_MAX));
    to.end();
  }
}

/** A request that can only be answered with an error. */
export function failedRequest(
  id: number,
  failure: unknown,
  fatal: boolean,
): Request {
  return { id, size: 0, replySize: SMALL_REPLY, fatal, content: { failure } };
}

/**
 * What a client is told besides the errno; undefined for what only the
 * server's owner may know, such as the names of host files.
 */
function detailOf(error: unknown): string | undefined {
  if (error instanceof ProtocolError) return error.message;
  if (!(error instanceof FsError)) return undefined;
  const usual = ERRNO_TEXT[error.code];
  return error.message === usual
    ? ""
    : error.message.slice(usual.length + ": ".length);
}
