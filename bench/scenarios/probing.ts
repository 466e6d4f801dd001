/** 1,000 HTTP probes every 5 s: alone for punctuality, then side by side with Prometheus and blackbox_exporter for cost. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Daemon, until } from '../../test/estate/daemon.ts';
import type { Figure, Scenario } from '../figure.ts';
import { type Cleanup, withCleanups } from '../parts/cleanups.ts';
import { startBlackboxProbing } from '../parts/peers.ts';
import { cpuUs } from '../parts/process-cost.ts';
import { intervalErrorP99, latenesses, plans } from '../parts/punctuality.ts';
import { median, quantile } from '../parts/statistics.ts';
import { type Arrival, startTarget, type Target } from '../parts/target.ts';
import { startWatching, watch } from '../parts/watched-home.ts';

const PROBES = 1_000;
const EVERY_MS = 5_000;
/** Until a just-in-time compiler has seen each path some thousand times. */
const WARM_UP_MS = 20_000;
const PEERS_WARM_UP_MS = 7_000;
const WINDOW_MS = 10_000;
const REPETITIONS = 3;

export const probing: Scenario = {
  name: 'probing',
  summary: '1,000 HTTP probes every 5 s, beside Prometheus + blackbox_exporter',
  run: (say) => withCleanups((later) => measure(later, say)),
};

async function measure(later: (cleanup: Cleanup) => void, say: (progress: string) => void): Promise<Figure[]> {
  const target = await startTarget();
  later(() => target.stop());
  const probes = watch('plain', PROBES, () => `http://${target.address}`);
  say('first probes');
  const spawnedAt = Date.now();
  const daemon = await startWatching(probes, `${EVERY_MS}ms`, later);
  const lastFirstAt = await lastFirstArrival(target);
  say('warm-up');
  await sleep(WARM_UP_MS);
  say('alone');
  const alone = await repeat(() => measureAlone(daemon, target));
  say('peers');
  const urls = probes.map(({ url }) => url.replace('/plain/', '/peer/'));
  const { prometheus, blackbox } = await startBlackboxProbing(urls, `${EVERY_MS}ms`, later);
  await sleep(PEERS_WARM_UP_MS);
  say('side by side');
  const both = await repeat(() => measureBoth(daemon.pid, [prometheus.pid, blackbox.pid], target));
  return [
    {
      name: 'CPU per HTTP probe, side by side',
      value: median(both.map(({ ours }) => ours)),
      unit: 'µs',
      peer: { name: 'Prometheus + blackbox_exporter', value: median(both.map(({ theirs }) => theirs)) },
      ratio: median(both.map(({ ours, theirs }) => ours / theirs)),
      ...{ most: 0.3, isRatio: true },
    },
    { name: 'CPU per HTTP probe, alone', value: median(alone.map(({ costUs }) => costUs)), unit: 'µs' },
    {
      name: 'lateness of a request against its plan, p99',
      value: median(alone.map(({ p99 }) => p99)),
      unit: 'ms',
      most: 8,
    },
    {
      name: 'error of the interval, p99, side by side',
      value: median(both.map(({ ourError }) => ourError)),
      unit: 'ms',
      peer: { name: 'Prometheus + blackbox_exporter', value: median(both.map(({ theirError }) => theirError)) },
    },
    {
      name: 'process start until each probe has run',
      value: (lastFirstAt - spawnedAt) / 1_000,
      unit: 's',
      most: EVERY_MS / 1_000,
    },
  ];
}

async function repeat<T>(once: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let repetition = 0; repetition < REPETITIONS; repetition += 1) results.push(await once());
  return results;
}

/** When the last of all paths was asked for the first time, wall clock. */
async function lastFirstArrival(target: Target): Promise<number> {
  const seen = new Map<string, number>();
  return until(
    async () => {
      for (const { path, at } of await target.take()) if (!seen.has(path)) seen.set(path, at);
      return seen.size === PROBES ? Math.max(...seen.values()) : undefined;
    },
    { what: 'each probe to run once', withinMs: 30_000 },
  );
}

async function measureAlone(daemon: Daemon, target: Target): Promise<{ costUs: number; p99: number }> {
  const plan = await plans(daemon);
  const { arrivals, costs } = await window(target, [daemon.pid]);
  return { costUs: (costs[0] ?? 0) / arrivals.length, p99: quantile(latenesses(arrivals, plan, EVERY_MS), 0.99) };
}

async function measureBoth(ourPid: number, theirPids: readonly number[], target: Target) {
  const { arrivals, costs } = await window(target, [ourPid, ...theirPids]);
  const [ourCost = 0, ...theirCosts] = costs;
  const ours = arrivals.filter(({ path }) => path.startsWith('/plain/'));
  const theirs = arrivals.filter(({ path }) => path.startsWith('/peer/'));
  return {
    ours: ourCost / ours.length,
    theirs: theirCosts.reduce((sum, cost) => sum + cost, 0) / theirs.length,
    ourError: intervalErrorP99(ours, EVERY_MS),
    theirError: intervalErrorP99(theirs, EVERY_MS),
  };
}

/** What arrived within a window, and what each process spent on it. */
async function window(target: Target, pids: readonly number[]) {
  await target.take();
  const before = pids.map((pid) => cpuUs(pid));
  await sleep(WINDOW_MS);
  const costs = pids.map((pid, index) => cpuUs(pid) - (before[index] ?? 0));
  const arrivals: readonly Arrival[] = await target.take();
  return { arrivals, costs };
}
