/**
 * Copies of the model, for going back to an earlier moment.
 *
 * @module
 */

import { ROOT_INODE } from "../../fs/mod.ts";
import { Model } from "../model.ts";
import type { ModelNode } from "../support/model_node.ts";
import { SparseBytes } from "../support/sparse_bytes.ts";

/** A model that is changed by itself from now on. */
export function cloneModel(model: Model): Model {
  const copies = [...model.nodes.values()].map(cloneNode);
  const twin = new Model(copies.find(({ ino }) => ino === ROOT_INODE)!);
  for (const node of copies) twin.nodes.set(node.ino, node);
  twin.now = model.now;
  twin.storesXattrs = model.storesXattrs;
  return twin;
}

function cloneNode(node: ModelNode): ModelNode {
  const data = new SparseBytes();
  for (const [page, bytes] of node.data.pages) {
    data.pages.set(page, bytes.slice());
  }
  data.size = node.data.size;
  const { entries, xattrs } = node;
  return { ...node, data, entries: new Map(entries), xattrs: new Map(xattrs) };
}
