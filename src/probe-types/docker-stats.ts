/**
 * CPU and memory of a container. The engine answers once a second at most, so this is asked only when somebody reads it;
 * CPU is a difference between two readings, of which the earlier is kept from the run before.
 */
import { z } from 'zod';
import type { Fields } from '../model.ts';
import type { Context } from '../ports.ts';
import type { Engine } from '../shared/docker-engine.ts';
import { parseAnswer, withSignal } from '../shared/docker-engine.ts';

export const STATS_FIELDS = ['cpu_percent', 'memory_bytes'] as const;

const CPU = z.object({ cpu_usage: z.object({ total_usage: z.number() }) });
const STATS = z.object({
  read: z.string(),
  preread: z.string(),
  cpu_stats: CPU,
  precpu_stats: CPU,
  memory_stats: z.object({
    usage: z.number().optional(),
    stats: z.object({ inactive_file: z.number().optional(), total_inactive_file: z.number().optional() }).nullish(),
  }),
});

interface CpuReading {
  readonly id: string;
  /** ms since the epoch. */
  readonly at: number;
  readonly usedNs: number;
}

export type ReadStats = (probe: string, engine: Engine, id: string, context: Context) => Promise<Fields>;

/** Probes whose last reading is kept. */
const CAPACITY = 10_000;
/** Two readings closer than this say little. */
const SHORTEST_SPAN_MS = 200;
/** The engine takes two seconds to make both readings itself; shorter runs wait for their next one. */
const BOTH_READINGS_MS = 4_000;

export function createStatsReader(): ReadStats {
  const readings = new Map<string, CpuReading>();
  return async (probe, engine, id, { signal, timeoutMs }) => {
    const kept = readings.get(probe);
    const oneShot = kept?.id === id || timeoutMs < BOTH_READINGS_MS;
    const options = { stream: false, 'one-shot': oneShot, abortSignal: signal } as const;
    const stats = parseAnswer(STATS, await withSignal(signal, engine.getContainer(id).stats(options)));
    const now = readingOf(id, stats.read, stats.cpu_stats);
    const before = oneShot ? kept : readingOf(id, stats.preread, stats.precpu_stats);
    readings.delete(probe);
    if (readings.size < CAPACITY) readings.set(probe, now);
    return { ...memoryOf(stats), ...cpuBetween(before, now) };
  };
}

function readingOf(id: string, read: string, { cpu_usage }: z.output<typeof CPU>): CpuReading {
  return { id, at: Date.parse(read), usedNs: cpu_usage.total_usage };
}

/** Percent of one core, as `docker stats` shows it: two busy cores are 200. */
function cpuBetween(before: CpuReading | undefined, now: CpuReading): Fields {
  if (before?.id !== now.id || now.at - before.at < SHORTEST_SPAN_MS || now.usedNs < before.usedNs) return {};
  return { cpu_percent: ((now.usedNs - before.usedNs) / 1e6 / (now.at - before.at)) * 100 };
}

/** Without the page cache that the kernel can take back at once (`docker stats` does the same). */
function memoryOf({ memory_stats: { usage, stats } }: z.output<typeof STATS>): Fields {
  if (usage === undefined) return {};
  return { memory_bytes: usage - Math.min(usage, stats?.total_inactive_file ?? stats?.inactive_file ?? 0) };
}
