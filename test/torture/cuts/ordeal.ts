/** The ordeal: the uplink or DNS is cut again and again, and now and then a target really fails in between. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Daemon, until } from '../../estate/daemon.ts';
import { type Random, seeded } from '../random.ts';
import { type Arena, TARGETS, VANTAGE } from './arena.ts';
import type { Cut } from './network.ts';

/** What is remembered from one piece of an ordeal to the next. Times are wall clock. */
export interface Progress {
  readonly seed: string;
  readonly cuts: readonly {
    readonly what: Cut;
    readonly from: number;
    readonly noticed: number;
    readonly until: number;
  }[];
  readonly outages: readonly { readonly target: string; readonly from: number; readonly until: number }[];
}

/** A true outage follows so many cuts. */
const CUTS_PER_OUTAGE = 5;

/** Cuts until there are enough or the time is up; everything is well at its end. */
export async function suffer(
  arena: Arena,
  before: Progress,
  { cuts, untilMs }: { readonly cuts: number; readonly untilMs: number },
  onCut: (count: number) => void,
): Promise<Progress> {
  let progress = before;
  await untilWell(arena.daemon);
  while (progress.cuts.length < cuts && performance.now() < untilMs) {
    const random = seeded(`${before.seed}/${progress.cuts.length}`);
    progress = { ...progress, cuts: [...progress.cuts, await cut(arena, random)] };
    onCut(progress.cuts.length);
    if (progress.cuts.length % CUTS_PER_OUTAGE !== 0) continue;
    progress = { ...progress, outages: [...progress.outages, await outage(arena, random)] };
  }
  return progress;
}

async function cut({ network, daemon }: Arena, random: Random) {
  await sleep(random.between(0, 2_000));
  const what = random.pick<Cut>(['uplink', 'dns']);
  const from = Date.now();
  network.cut(what);
  await until(() => blind(daemon), { what: 'the daemon to notice that it is blind', withinMs: 30_000 });
  const noticed = Date.now();
  await sleep(random.between(1_500, 4_000));
  network.join();
  await untilWell(daemon);
  return { what, from, noticed, until: Date.now() };
}

async function outage(arena: Arena, random: Random) {
  const target = TARGETS[random.between(0, TARGETS.length - 1)] ?? '';
  const from = Date.now();
  arena.hang(target, true);
  const before = (await arena.fixes()).length;
  const isFixed = async () => (await arena.fixes()).length > before;
  await until(isFixed, { what: `the outage of ${target} to be found, and its fix to run`, withinMs: 60_000 });
  arena.hang(target, false);
  await untilWell(arena.daemon);
  return { target, from, until: Date.now() };
}

async function blind(daemon: Daemon): Promise<boolean> {
  return (await (await daemon.fetch('/metrics')).text()).includes('\nbrainstem_blind 1\n');
}

/** Nothing is open, nothing is being done, everything was said, and the newest run of each probe passed. */
async function untilWell(daemon: Daemon): Promise<void> {
  const isWell = async () => {
    const { probes, incidents, attempts } = await daemon.api<Status>('status');
    const passing = probes.filter(({ state, verdict }) => state === 'up' && verdict === 'pass').length;
    if (passing < TARGETS.length + VANTAGE.length || incidents.length > 0 || attempts.length > 0) return false;
    return (await (await daemon.fetch('/metrics')).text()).includes('brainstem_notification_queue{notifier="bus"} 0\n');
  };
  await until(isWell, { what: 'everything to be up, and told', withinMs: 90_000 });
}

interface Status {
  readonly probes: readonly { readonly state: string; readonly verdict?: string }[];
  readonly incidents: readonly unknown[];
  readonly attempts: readonly unknown[];
}
