/** The ordeal: PostgreSQL is killed again and again while targets break and are mended, and the daemon lives through it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Daemon, until } from '../../estate/daemon.ts';
import { type Random, seeded } from '../random.ts';
import { type Arena, HEALED, isHealed, MOODY, STEADY } from './arena.ts';

/** What is remembered from one piece of an ordeal to the next. Times are wall clock. */
export interface Progress {
  readonly seed: string;
  readonly outages: readonly Outage[];
  readonly breaks: readonly Break[];
  /** When fixes began to run, by target. */
  readonly fixes: readonly { readonly target: string; readonly at: number }[];
  /** While a daemon ran and was to be probing. */
  readonly pieces: readonly Span[];
  readonly lags: readonly Lag[];
  readonly mishaps: readonly string[];
}

export interface Span {
  readonly from: number;
  readonly until: number;
}

/** Each kill, until the server answered again. Some servers are killed again before the daemon may have come back. */
export type Outage = readonly Span[];

export interface Break extends Span {
  readonly target: string;
}

/** What one daemon said of its punctuality. */
export interface Lag {
  readonly starts: number;
  /** Starts that were more than half a second late. */
  readonly late: number;
  readonly droppedResults: number;
}

export function newProgress(seed: string): Progress {
  return { seed, outages: [], breaks: [], fixes: [], pieces: [], lags: [], mishaps: [] };
}

export interface Limits {
  readonly kills: number;
  readonly untilMs: number;
}

/** Kills until there are enough or the time is up; then everything comes to rest, and the daemon is stopped. */
export async function suffer(
  arena: Arena,
  before: Progress,
  { kills, untilMs }: Limits,
  onKill: (kills: number) => void,
): Promise<Progress> {
  const daemon = await arena.start();
  const names = [...MOODY, ...HEALED, ...STEADY];
  await untilUp(daemon, names);
  const from = Date.now();
  const over = new AbortController();
  const breaking = [...MOODY, ...HEALED].map((target) => moods(arena, target, before, over.signal));
  const outages: Outage[] = [...before.outages];
  while (killsOf(outages) < kills && performance.now() < untilMs) {
    const random = seeded(`${before.seed}/outage/${outages.length}`);
    await untilBack(daemon);
    await sleep(random.between(500, 4_000));
    outages.push(await outage(arena, random));
    onKill(killsOf(outages));
  }
  over.abort();
  const breaks = (await Promise.all(breaking)).flat();
  await untilUp(daemon, names);
  const lag = await lagOf(daemon);
  const code = await daemon.stop();
  return {
    ...before,
    outages,
    breaks: [...before.breaks, ...breaks],
    fixes: [...before.fixes, ...arena.targets.fixes().map(({ at, target }) => ({ at, target }))],
    pieces: [...before.pieces, { from, until: Date.now() }],
    lags: [...before.lags, lag],
    mishaps: [...before.mishaps, ...(code === 0 ? [] : [`the daemon ended with ${code}: ${daemon.output()}`])],
  };
}

export function killsOf(outages: readonly Outage[]): number {
  return outages.flat().length;
}

/** Now and then once more before the daemon has written down what it kept, or while it does. */
async function outage({ postgres }: Arena, random: Random): Promise<Outage> {
  const downs: Span[] = [];
  do {
    if (downs.length > 0) await sleep(random.between(0, 1_500));
    const from = Date.now();
    await postgres.kill();
    await sleep(random.between(1_000, 4_000));
    await postgres.start();
    downs.push({ from, until: Date.now() });
  } while (random.chance(0.2));
  return downs;
}

async function untilBack(daemon: Daemon): Promise<void> {
  const isUp = async () => (await metricsOf(daemon))('brainstem_store_up') === 1;
  await until(isUp, { withinMs: 60_000, what: 'the daemon to have its store back' });
}

/** Long enough to be confirmed, and to be seen as over, on a machine that has other work to do. */
const MOOD_MS = [8_000, 16_000] as const;

/** One target that breaks now and then until all is over; then it is well. */
async function moods({ targets }: Arena, target: string, { seed, pieces }: Progress, over: AbortSignal) {
  const random = seeded(`${seed}/${target}/${pieces.length}`);
  const breaks: Break[] = [];
  while (!over.aborted) {
    await pause(random.between(...MOOD_MS), over);
    if (over.aborted) break;
    const from = Date.now();
    targets.set(target, random.pick(['broken', 'hang']));
    if (isHealed(target)) await mended(targets, target, from);
    else await pause(mood(random), AbortSignal.timeout(2 * MOOD_MS[1]));
    targets.set(target, 'ok');
    breaks.push({ target, from, until: Date.now() });
  }
  return breaks;
}

function mood(random: Random): number {
  return random.between(...MOOD_MS);
}

async function mended(targets: Arena['targets'], target: string, from: number): Promise<void> {
  const isFixed = () => targets.fixes().some((fix) => fix.target === target && fix.at >= from);
  await until(isFixed, { withinMs: 120_000, what: `the fix of ${target}` });
}

async function pause(durationMs: number, early: AbortSignal): Promise<void> {
  await sleep(durationMs, undefined, { signal: early }).catch(() => undefined);
}

interface Status {
  readonly probes: readonly { readonly name: string; readonly state: string; readonly verdict?: string }[];
  readonly incidents: readonly unknown[];
  readonly attempts: readonly unknown[];
}

/** Everything is up, closed, said and written. */
async function untilUp(daemon: Daemon, names: readonly string[]): Promise<void> {
  const quiet = async () => {
    const { probes, incidents, attempts } = await daemon.api<Status>('status');
    const up = probes.filter(({ state, verdict }) => state === 'up' && verdict === 'pass').length;
    if (up < names.length || incidents.length > 0 || attempts.length > 0) return false;
    const metrics = await metricsOf(daemon);
    return metrics('brainstem_store_up') === 1 && metrics('brainstem_notification_queue{notifier="bus"}') === 0;
  };
  await until(quiet, { withinMs: 120_000, what: 'everything to be up, told and written' });
}

async function lagOf(daemon: Daemon): Promise<Lag> {
  const metrics = await metricsOf(daemon);
  const starts = metrics('brainstem_probe_schedule_delay_seconds_count') ?? 0;
  const punctual = metrics('brainstem_probe_schedule_delay_seconds_bucket{le="0.5"}') ?? 0;
  const droppedResults = metrics('brainstem_store_dropped_results_total') ?? 0;
  return { starts, late: starts - punctual, droppedResults };
}

async function metricsOf(daemon: Daemon): Promise<(series: string) => number | undefined> {
  const lines = (await (await daemon.fetch('/metrics')).text()).split('\n');
  return (series) => {
    const line = lines.find((each) => each.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };
}
