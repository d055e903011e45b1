/**
 * Images of the original's encrypted, and decrypted, by OpenSSL in Node.
 *
 * @module
 */

import type { CipherName } from "../../bd/crypt.ts";
import { must } from "./tools.ts";

/** What to make of a file. */
export interface ImageJob {
  /** Encrypt it, or decrypt it. */
  do: "encrypt" | "decrypt";
  /** Its path. */
  from: string;
  /** Path of the result. */
  to: string;
  /** The cipher. */
  cipher: CipherName;
  /** Bytes of a block. */
  blockSize: number;
  /** What the key is derived from. */
  password: string;
}

const SCRIPT = `
const crypto = require("node:crypto");
const fs = require("node:fs");
const job = JSON.parse(process.argv[1]);
const length = job.cipher === "aes-256-xts" ? 64 : 32;
const key = crypto.pbkdf2Sync(job.password, "", 1000, length, "sha256");
const input = fs.readFileSync(job.from);
const output = Buffer.alloc(input.length);
const create = job.do === "encrypt"
  ? crypto.createCipheriv
  : crypto.createDecipheriv;
for (let at = 0; at < input.length; at += job.blockSize) {
  const iv = Buffer.alloc(16);
  iv.writeUInt32LE(at / job.blockSize);
  const cipher = create(job.cipher, key, iv).setAutoPadding(false);
  cipher.update(input.subarray(at, at + job.blockSize)).copy(output, at);
}
fs.writeFileSync(job.to, output);
`;

/** Does it. */
export async function opensslImage(job: ImageJob): Promise<void> {
  await must("node", "-e", SCRIPT, JSON.stringify(job));
}
