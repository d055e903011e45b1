/**
 * `rpc/nextfs.cddl` against the program: an independent validator takes what
 * client and server say, and of changed messages exactly those that they take.
 */

import assert from "node:assert/strict";
import {
  decodeMessage,
  REPLY_ITEMS_MAX,
  REQUEST_ITEMS_MAX,
} from "../../rpc/codec.ts";
import { hold } from "../../rpc/document/conversation.ts";
import type { Exchange } from "../../rpc/document/recorder.ts";
import { CDDL } from "../../rpc/document/update.ts";
import { operationNamed, operationNumbered } from "../../rpc/operations/mod.ts";
import { ProtocolError } from "../../rpc/protocol_error.ts";
import { checkWellFormed } from "../../rpc/well_formed.ts";
import { readFields, WireTypeError } from "../../rpc/wire_types.ts";
import { framed, hello, RawClient, Served } from "../rpc/harness.ts";
import { chooseSeed, Random } from "../support/random.ts";
import { testWith } from "../support/tools.ts";
import { type Judged, validate } from "./cddl_validator.ts";
import { withChangedBytes, withChangedValues } from "./mutations.ts";

/** Changed messages of each kind in one run. */
const MUTANTS = 4000;

const NEEDS = ["python3-cbor2"] as const;

const seed = chooseSeed("NEXTFS_CDDL_SEED");

/** A message without its length. */
const body = ({ frame }: { frame: Uint8Array }): Uint8Array =>
  frame.subarray(4);

/** The rule for one side of an exchange. */
function ruleOf({ operation }: Exchange, part: string): string {
  return `${operation.replaceAll("_", "-")}-${part}`;
}

function asText({ rule, message }: Judged): string {
  return `${rule} ${message.toHex().slice(0, 400)} (seed ${seed})`;
}

/** Whether the server understands a request; null if it is no CBOR for it. */
function isRequest(message: Uint8Array): boolean | null {
  if (!isWellFormed(message, REQUEST_ITEMS_MAX)) return null;
  try {
    const [id, number, ...args] = decodeMessage(message, REQUEST_ITEMS_MAX);
    const operation = operationNumbered(number);
    if (id === 0 || operation === undefined) return false;
    readFields(operation.arguments, operation.argumentNames, args, 0);
    return true;
  } catch (error) {
    return refused(error);
  }
}

/** Whether a client understands a reply of success; null as above. */
function isSuccess(
  { operation }: Exchange,
  message: Uint8Array,
): true | false | null {
  if (!isWellFormed(message, REPLY_ITEMS_MAX)) return null;
  try {
    const { results, resultNames } = operationNamed(operation);
    const [id, status, ...values] = decodeMessage(message, REPLY_ITEMS_MAX);
    if (id === 0 || status !== 0) return false;
    readFields(results, resultNames, values, 0);
    return true;
  } catch (error) {
    return refused(error);
  }
}

function refused(error: unknown): false {
  const isExpected = error instanceof WireTypeError ||
    error instanceof ProtocolError;
  if (!isExpected) throw error;
  return false;
}

/** What no rule of CDDL can say: the subset of CBOR, its shortest form. */
function isWellFormed(message: Uint8Array, itemsMax: number): boolean {
  try {
    checkWellFormed(message, itemsMax);
    return true;
  } catch (error) {
    return refused(error);
  }
}

await testWith(NEEDS, "the validator says no where a rule does", async () => {
  const cases: readonly [rule: string, hex: string, isRight: boolean][] = [
    ["uint32", "1affffffff", true],
    ["uint32", "1b0000000100000000", false],
    ["uint32", "20", false],
    ["uint32", "f4", false],
    ["uint32", "f90000", false],
    ["uint32", "0000", false],
    ["name", "4161", true],
    ["name", "40", false],
    ["name", "6161", false],
    ["node", "820203", true],
    ["node", "8102", false],
    ["node", "83020300", false],
    ["node", "a10203", false],
    ["permissions", "190fff", true],
    ["permissions", "191000", false],
    ["extensions", "83f6828041006161", true],
    ["extensions", "81a0", false],
    ["sync-request", "821a00010000185a", false],
    ["sync-request", "82011858", true],
    ["sync-request", "83011858f6", false],
    ["sync-reply", "820100", true],
    ["sync-reply", "8301181c60", true],
    ["sync-reply", "82011a00010000", false],
  ];
  const verdicts = await validate(
    CDDL,
    cases.map(([rule, hex]) => ({ rule, message: Uint8Array.fromHex(hex) })),
  );
  cases.forEach(([rule, hex, isRight], i) => {
    assert.equal(verdicts[i] === null, isRight, `${rule} ${hex}`);
  });
});

await testWith(
  NEEDS,
  "every message of a conversation, refusals too, is as nextfs.cddl has it",
  async () => {
    const heard = await hold();
    const messages: Judged[] = heard.flatMap((one) => [
      { rule: "request", message: body(one.request) },
      { rule: ruleOf(one, "request"), message: body(one.request) },
      { rule: ruleOf(one, "reply"), message: body(one.reply) },
      { rule: "reply", message: body(one.reply) },
    ]);
    messages.push(...await refusals(heard));
    const verdicts = await validate(CDDL, messages);
    messages.forEach((message, i) => {
      assert.equal(verdicts[i], null, asText(message));
    });
  },
);

/** Replies to the same requests where nothing is as they expect it. */
async function refusals(heard: readonly Exchange[]): Promise<Judged[]> {
  await using served = await Served.start({ readOnly: true });
  const { endpoints: [{ kind }] } = served;
  assert.equal(kind, "unix");
  const replies: Judged[] = [];
  await served.each(async (endpoint) => {
    const client = await RawClient.greet(endpoint);
    for (const one of heard) {
      if (one.operation === "hello" || one.operation === "goodbye") continue;
      await client.send(one.request.frame);
      const message = await client.receiveBytes();
      replies.push({ rule: ruleOf(one, "reply"), message: message! });
    }
    client.close();
    // What has no id is answered by a notice.
    const stranger = await RawClient.greet(endpoint);
    await stranger.send(framed(Uint8Array.of(0xa0)));
    replies.push({ rule: "notice", message: (await stranger.receiveBytes())! });
    stranger.close();
    // A second hello is one too many.
    const hasty = await RawClient.greet(endpoint);
    await hasty.send(hello(2));
    replies.push({ rule: "failure", message: (await hasty.receiveBytes())! });
    hasty.close();
  });
  return replies;
}

await testWith(
  NEEDS,
  "of changed messages, nextfs.cddl allows exactly what is understood",
  async () => {
    const random = new Random(seed);
    const heard = await hold();
    const judged: Judged[] = [];
    const understood: boolean[] = [];
    const judge = (rule: string, message: Uint8Array, is: boolean | null) => {
      if (is === null) return;
      judged.push({ rule, message });
      understood.push(is);
    };
    for (let i = 0; i < MUTANTS; i++) {
      const one = random.pick(heard);
      const { request, reply } = one;
      const changed = withChangedValues(request.items, random);
      judge("request", changed, isRequest(changed));
      const bent = withChangedBytes(body(request), random);
      judge("request", bent, isRequest(bent));
      // What its steps have returned, a client looks at only when asked to.
      if (one.operation === "compound" || reply.items[1] !== 0) continue;
      const answer = withChangedValues(reply.items, random);
      judge(ruleOf(one, "success"), answer, isSuccess(one, answer));
    }
    const verdicts = await validate(CDDL, judged);
    judged.forEach((one, i) => {
      assert.equal(verdicts[i] === null, understood[i], asText(one));
    });
    const taken = understood.filter(Boolean).length;
    console.log(
      `${judged.length} changed messages: ${taken} understood and allowed, ` +
        `${judged.length - taken} neither (seed ${seed})`,
    );
    // Either kind must have been there.
    assert.ok(taken > 100 && judged.length - taken > 1000);
    await areRefused(judged.filter((_, i) => !understood[i]));
  },
);

/** A server refuses all of these requests, and goes on. */
async function areRefused(requests: readonly Judged[]): Promise<void> {
  await using served = await Served.start();
  const [EINVAL, ENAMETOOLONG, ENOSYS] = [22, 36, 38];
  await served.each(async (endpoint) => {
    const client = await RawClient.greet(endpoint);
    for (const { rule, message } of requests) {
      if (rule !== "request" || endsConversation(message)) continue;
      await client.send(framed(message));
      const reply = await client.receive();
      assert.ok(reply !== null, asText({ rule, message }));
      const status = reply[1] as number;
      assert.ok([EINVAL, ENAMETOOLONG, ENOSYS].includes(status));
    }
    client.close();
  });
}

/** True for what is answered by the end of the connection. */
function endsConversation(message: Uint8Array): boolean {
  try {
    const [id, number] = decodeMessage(message, REQUEST_ITEMS_MAX);
    return id === 0 || number === 64;
  } catch {
    return true;
  }
}
