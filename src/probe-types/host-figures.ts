/** What Linux says about itself in `/proc` (proc(5)), as pure functions of its files. */

/** Ticks since boot, over all processors. */
export interface CpuTicks {
  readonly busy: number;
  readonly total: number;
}

/** First line of `/proc/stat`. Guest time stands in user and nice already; waiting for a disk counts as idle. */
export function parseCpuTicks(stat: string): CpuTicks {
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, steal = 0] = (
    stat.split('\n', 1)[0] ?? ''
  )
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const busy = user + nice + system + irq + softIrq + steal;
  return { busy, total: busy + idle + wait };
}

/** Share of busy time between two readings; undefined when none has passed. */
export function cpuPercent(before: CpuTicks, after: CpuTicks): number | undefined {
  const total = after.total - before.total;
  return total > 0 ? percent(Math.max(0, after.busy - before.busy), total) : undefined;
}

export interface Memory {
  readonly memory_percent: number;
  readonly memory_available_bytes: number;
  readonly swap_percent: number;
}

/** `/proc/meminfo`. Caches that can be given back are available (`MemAvailable`), as `free` counts. */
export function parseMemory(meminfo: string): Memory {
  const kibibytes = Object.fromEntries(
    [...meminfo.matchAll(/^(\w+):\s+(\d+) kB$/gm)].map(([, name, value]) => [name, Number(value)]),
  ) as Readonly<Record<string, number>>;
  const { MemTotal = 0, MemFree = 0, SwapTotal = 0, SwapFree = 0 } = kibibytes;
  const available = kibibytes['MemAvailable'] ?? MemFree;
  return {
    memory_percent: percent(MemTotal - available, MemTotal),
    memory_available_bytes: available * 1_024,
    swap_percent: percent(SwapTotal - SwapFree, SwapTotal),
  };
}

export interface Load {
  readonly load1: number;
  readonly load5: number;
  readonly load15: number;
}

/** `/proc/loadavg`. */
export function parseLoad(loadavg: string): Load {
  const [load1 = 0, load5 = 0, load15 = 0] = loadavg.split(' ').map(Number);
  return { load1, load5, load15 };
}

/** `/proc/uptime`, seconds. */
export function parseUptime(uptime: string): number {
  return Number.parseFloat(uptime);
}

/** 0 of nothing is 0 %. Two decimals are more than anybody reads. */
export function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part / whole) * 10_000) / 100;
}
