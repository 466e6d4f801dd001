/** The figures of a host without `/proc`, by way of systeminformation, which is loaded when first needed. */
import { loadLibrary } from '../library.ts';
import type { Fields } from '../model.ts';
import { percent } from './host-figures.ts';

/** Inodes are not told there. `mounts` absent: all file systems. */
export async function readPortableHost(mounts: readonly string[] | undefined): Promise<Fields> {
  const { currentLoad, fsSize, mem, time } = loadLibrary<typeof import('systeminformation')>('systeminformation');
  const [load, memory, disks] = await Promise.all([currentLoad(), mem(), fsSize()]);
  const wanted = disks.filter(({ mount }) => mounts === undefined || mounts.includes(mount));
  const disk_percent = Object.fromEntries(wanted.map(({ mount, use }) => [mount, use]));
  return {
    cpu_percent: load.currentLoad,
    load1: load.avgLoad,
    load1_per_cpu: load.avgLoad / Math.max(1, load.cpus.length),
    memory_percent: percent(memory.total - memory.available, memory.total),
    memory_available_bytes: memory.available,
    swap_percent: percent(memory.swapused, memory.swaptotal),
    disk_percent,
    disk_percent_max: Math.max(0, ...Object.values(disk_percent)),
    uptime_s: time().uptime,
  };
}
