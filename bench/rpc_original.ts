/**
 * The parts of the measurement that compare with the original's figures, and
 * TLS with none.
 *
 * @module
 */

import { type DeviceKind, DEVICES } from "../bd/volume/mod.ts";
import { certificates } from "../tests/support/certificates.ts";
import { type Bench, BLOCK, SERVER_CPU } from "./rpc_bench.ts";
import type { Job } from "./rpc_job.ts";
import {
  figures,
  line,
  names,
  read,
  type Target,
  times,
  us,
  WINDOW,
  write,
} from "./rpc_report.ts";

/** What is compared, in the order of {@link ORIGINAL}. */
const KINDS = ["4 KiB read", "4 KiB write", "64 KiB read"] as const;

/**
 * The original, in C, client and server on one processor of a machine of this
 * kind, in µs: 4 KiB read, 4 KiB write, 64 KiB read, and a file that is made,
 * closed and removed.
 */
const ORIGINAL: Readonly<Record<DeviceKind, readonly number[]>> = {
  std: [20, 20, 29, 53],
  crypt: [22, 22, 50, 67],
  verity: [56, 58, 536, 213],
  vericrypt: [57, 63, 611, 192],
};

/** The same, 4 KiB reads by TLS. */
const ORIGINAL_TLS: Readonly<Record<DeviceKind, number>> = {
  std: 27,
  crypt: 29,
  verity: 60,
  vericrypt: 65,
};

/** How many times faster than the original each device is to be. */
const GOALS: Readonly<Partial<Record<DeviceKind, number>>> = {
  std: 1,
  vericrypt: 2,
};
const GOAL_MANY = 4;

function compare(
  what: string,
  ours: number,
  { original, goal }: { original: number; goal?: number },
): void {
  const ratio = original / ours;
  line(
    what,
    `${us(ours)} µs, was ${original} (${ratio.toFixed(1)}×)`,
    goal === undefined
      ? undefined
      : { text: `≥ ${goal}×`, isMet: ratio >= goal },
  );
}

function jobs(to: Target, window: number): Job[] {
  const long = read(to, 16 * BLOCK, window);
  return [read(to, BLOCK, window), write(to, window), long];
}

/** All devices against the original, on one processor. */
export async function original(bench: Bench): Promise<void> {
  for (const device of DEVICES) {
    const { server } = await bench.served(device);
    for (const window of [1, WINDOW]) {
      const all = jobs(server, window);
      const { figures } = await bench.turns(SERVER_CPU, all);
      const goal = window > 1 ? GOAL_MANY : GOALS[device];
      KINDS.forEach((kind, i) => {
        compare(`bd-${device}: ${kind}, ${window} in flight`, figures[i].us, {
          original: ORIGINAL[device][i],
          goal,
        });
      });
    }
  }
}

/** Files made, closed and removed, on one processor. */
export async function create(bench: Bench): Promise<void> {
  for (const device of DEVICES) {
    const { server } = await bench.served(device);
    const [one, three, many] = (await bench.turns(SERVER_CPU, [
      names(server, "compound"),
      names(server, "names"),
      names(server, "names", WINDOW),
    ])).figures;
    const original = ORIGINAL[device][3];
    const goal = device === "vericrypt" ? 1 : undefined;
    const each = three.us * 3;
    compare(`bd-${device}: one at a time`, each, { original, goal });
    if (device === "std") {
      const rate = 1e6 / each;
      line("bd-std: one at a time, a second", rate.toFixed(0), {
        ...{ text: "≥ 12000", isMet: rate >= 12_000 },
      });
    }
    compare(`bd-${device}: as one compound`, one.us, { original });
    compare(`bd-${device}: ${WINDOW} requests in flight`, many.us * 3, {
      original,
    });
  }
}

/** 4 KiB reads by TLS against the same without. */
export async function tls(bench: Bench): Promise<void> {
  const { ca, server, client } = await certificates();
  const args = [
    ...["--tls-cert", server.certPath, "--tls-key", server.keyPath],
    ...["--client-ca", ca.certPath],
  ];
  const clientTls = {
    ...{ ca: ca.certPath, cert: client.certPath, key: client.keyPath },
  };
  for (const device of DEVICES) {
    const plain = (await bench.served(device)).server;
    const { server: secret } = await bench.served(device, {
      ...{ args, tls: { ca: ca.cert, cert: client.cert, key: client.key } },
    });
    for (const window of device === "std" ? [1, WINDOW] : [1]) {
      const { figures: all, ratios } = await bench.turns(SERVER_CPU, [
        read(plain, BLOCK, window),
        { ...read(secret, BLOCK, window), tls: clientTls },
      ]);
      const name = `bd-${device}: ${window} in flight`;
      figures(`${name}, plain`, all[0]);
      figures(`${name}, by TLS`, all[1]);
      times(name, 1 / ratios[1], window === 1 ? 0.6 : undefined);
      if (window > 1) continue;
      const original = ORIGINAL_TLS[device];
      compare(`${name}, by TLS`, all[1].us, { original });
    }
  }
}
