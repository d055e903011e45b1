/**
 * What a handler is: an operation carried out by calls of the engine.
 *
 * A handler gets arguments whose types and bounds are checked, and throws what
 * the engine throws. Whether the caller may do what it asks is the business of
 * the session's `files` and `tree`, through which it works.
 *
 * @module
 */

import type { Attributes } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import type { InPlace } from "../frame_writer.ts";
import type {
  Arguments,
  Node,
  OperationName,
  Results,
} from "../operations/mod.ts";
import type { Session } from "../session.ts";

/** Results of an operation; bytes may be made where they are sent from. */
export type Reply<K extends OperationName> = {
  readonly [F in keyof Results<K>]:
    | Results<K>[F]
    | (Results<K>[F] extends Uint8Array ? InPlace : never);
};

/** What a handler may know of the request. */
export interface Call {
  /**
   * What aborts when the client cancels the request, for one that is going to
   * wait for other clients. Throws {@link FsError} if it cannot wait.
   */
  readonly signal: () => AbortSignal;
}

/** What carries out an operation. */
export type Handler<K extends OperationName> = (
  session: Session,
  args: Arguments<K>,
  call: Call,
) => Reply<K> | Promise<Reply<K>>;

/** The handlers of some operations. */
export type HandlersOf<K extends OperationName> = {
  readonly [N in K]: Handler<N>;
};

/**
 * Attributes of a node, as the volume has them. `ESTALE` if its number has
 * another owner by now, or it is not in the part that the session may know of.
 */
export function attributesOf(session: Session, node: Node): Attributes {
  const found = session.files.getattr(node.ino);
  if (found.generation !== node.generation) throw new FsError("ESTALE");
  return found;
}

/** Inode number of a node. `ESTALE` as above. */
export function inodeOf(session: Session, node: Node): number {
  return attributesOf(session, node).ino;
}

/** Attributes as the client is to see them. */
export function shown(session: Session, ino: number): Attributes {
  return session.options.ids.toClient(session.files.getattr(ino));
}

/** Throws `EINVAL` for more data than one request may carry. */
export function checkLength(session: Session, length: number): void {
  if (length > session.limits.maxData) {
    throw new FsError("EINVAL", `at most ${session.limits.maxData} bytes`);
  }
}
