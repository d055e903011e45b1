/**
 * What requests cost over the wire, against raw echo servers in the same run,
 * and against the original's figures.
 *
 * `deno task bench:rpc [PART…]`: what is measured (everything). Servers and
 * load generators are processes of their own, each bound to one processor by
 * taskset(1); what is compared is measured in turns. Run it on an idle machine
 * with two processors; it takes four minutes. It needs python3 for the load,
 * and for TLS the openssl command. What is printed is told in
 * docs/performance.md.
 *
 * @module
 */

import { Bench } from "./rpc_bench.ts";
import { create, original, tls } from "./rpc_original.ts";
import { devices, large, many, one } from "./rpc_parts.ts";

const PARTS: Readonly<
  Record<string, { title: string; run: (bench: Bench) => Promise<void> }>
> = {
  one: { title: "4 KiB reads, one at a time, bd-std", run: one },
  many: { title: "4 KiB reads, 16 in flight, bd-std", run: many },
  large: { title: "Reads of 1 MiB, bd-std", run: large },
  create: {
    title: "create+close+unlink, on one processor",
    run: create,
  },
  devices: { title: "4 KiB reads of all devices", run: devices },
  original: { title: "Against the original, on one processor", run: original },
  tls: { title: "4 KiB reads by TLS, on one processor", run: tls },
};

const chosen = Deno.args.length > 0 ? Deno.args : Object.keys(PARTS);
for (const name of chosen) {
  if (PARTS[name] === undefined) {
    console.error(`'${name}' is no part: ${Object.keys(PARTS).join(", ")}`);
    Deno.exit(2);
  }
}
await using bench = new Bench();
for (const name of chosen) {
  console.log(`\n${PARTS[name].title}`);
  await PARTS[name].run(bench);
}
