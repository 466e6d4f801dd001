/** Probe type `host`: the machine that Brainstem runs on. */
import { readFile, statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { FieldDeclarations, Fields } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { ownTrouble } from './failure.ts';
import { type CpuTicks, cpuPercent, parseCpuTicks, parseLoad, parseMemory, parseUptime } from './host-figures.ts';
import { createMountReader, findMounts, type MountReading, mountsOf, type Statfs } from './host-mounts.ts';
import { readPortableHost } from './host-portable.ts';

const hostSpec = z.strictObject({
  mounts: z
    .array(z.string().startsWith('/', 'is an absolute path'))
    .min(1)
    .optional()
    .describe('Paths whose file systems are looked at. Default: every file system on a disk or on the network'),
});
type HostSpec = z.output<typeof hostSpec>;

const fields: FieldDeclarations = {
  cpu_percent: { type: 'double', unit: '%', summary: 'Busy share of all processors since the last run' },
  load1: { type: 'double', summary: 'Load average of 1 minute' },
  load5: { type: 'double', summary: 'Load average of 5 minutes' },
  load15: { type: 'double', summary: 'Load average of 15 minutes' },
  load1_per_cpu: { type: 'double', summary: 'Load average of 1 minute per processor' },
  memory_percent: { type: 'double', unit: '%', summary: 'Memory in use; caches that can be given back are not' },
  memory_available_bytes: { type: 'double', unit: 'B', summary: 'Memory that programs can still get' },
  swap_percent: { type: 'double', unit: '%', summary: 'Swap in use; 0 without swap' },
  disk_percent: { type: 'map', unit: '%', summary: 'Space in use by mount point, as in disk_percent["/"]' },
  disk_percent_max: { type: 'double', unit: '%', summary: 'Space in use on the fullest file system' },
  inodes_percent: { type: 'map', unit: '%', summary: 'Inodes in use by mount point' },
  inodes_percent_max: { type: 'double', unit: '%', summary: 'Inodes in use on the file system with the fewest left' },
  uptime_s: { type: 'double', unit: 's', summary: 'Time since the machine started' },
};

/** The first run of a definition has nothing to compare with: it looks twice, this far apart. */
const CPU_SAMPLE_MS = 200;
const MOUNTS_MS = 2_000;

/** Remembers the last processor figures of each definition, and the file systems that still owe an answer. */
export function createHostProbeType(statfsOf: Statfs = (path) => statfs(path)): ProbeType<typeof hostSpec> {
  const lastTicks = new WeakMap<HostSpec, CpuTicks>();
  const mountReader = createMountReader(statfsOf);

  async function readCpu(spec: HostSpec, { signal, timeoutMs }: Context): Promise<number | undefined> {
    let before = lastTicks.get(spec);
    if (!before) {
      before = parseCpuTicks(await readProc('stat'));
      await sleep(Math.min(CPU_SAMPLE_MS, timeoutMs / 4), undefined, { signal });
    }
    const after = parseCpuTicks(await readProc('stat'));
    lastTicks.set(spec, after);
    return cpuPercent(before, after);
  }

  async function readMounts({ mounts }: HostSpec, { timeoutMs }: Context): Promise<readonly MountReading[]> {
    const mountinfo = await readProc('self/mountinfo');
    const chosen = mounts ? mountsOf(mounts, mountinfo) : findMounts(mountinfo);
    const readings = await mountReader.read(chosen, Math.min(MOUNTS_MS, timeoutMs / 2));
    // What was not asked for by name may be nobody's business, such as a mount of another user.
    return mounts ? readings : readings.filter(({ kind }) => kind !== 'failed');
  }

  async function runOnLinux(spec: HostSpec, context: Context): Promise<ProbeOutput> {
    const [cpu, figures, readings] = await Promise.all([
      readCpu(spec, context),
      readFigures(),
      readMounts(spec, context),
    ]);
    const seen = { ...(cpu !== undefined && { cpu_percent: cpu }), ...figures, ...mountFields(readings) };
    return { ...judgeMounts(readings), fields: seen };
  }

  async function run(spec: HostSpec, _input: ProbeInput, context: Context): Promise<ProbeOutput> {
    try {
      if (process.platform === 'linux') return await runOnLinux(spec, context);
      return { reason: 'ok', fields: await readPortableHost(spec.mounts) };
    } catch (thrown) {
      if (!context.signal.aborted) throw ownTrouble(thrown) ?? thrown;
      return { reason: 'timeout', fields: {}, error: 'the host did not tell its figures in time' };
    }
  }

  return {
    name: 'host',
    summary: 'The machine that Brainstem runs on: processors, memory, disks',
    spec: hostSpec,
    mainOption: 'mounts',
    example: 'name: host\nhost: {}\nexpect: [disk_percent_max < 95]\nwarn: [cpu_percent < 80, memory_percent < 90]',
    fields,
    families: [],
    target: () => 'localhost',
    run,
  };
}

function readProc(name: string): Promise<string> {
  return readFile(`/proc/${name}`, 'utf8');
}

async function readFigures(): Promise<Fields> {
  const [meminfo, loadavg, uptime] = await Promise.all([readProc('meminfo'), readProc('loadavg'), readProc('uptime')]);
  const load = parseLoad(loadavg);
  return {
    ...load,
    load1_per_cpu: load.load1 / availableParallelism(),
    ...parseMemory(meminfo),
    uptime_s: parseUptime(uptime),
  };
}

function mountFields(readings: readonly MountReading[]): Fields {
  const read = readings.filter((reading) => reading.kind === 'read');
  const disk = read.map(({ path, usage }) => [path, usage.disk_percent] as const);
  const inodes = read.flatMap(({ path, usage }) =>
    usage.inodes_percent === undefined ? [] : [[path, usage.inodes_percent] as const],
  );
  return {
    disk_percent: Object.fromEntries(disk),
    disk_percent_max: Math.max(0, ...disk.map(([, value]) => value)),
    inodes_percent: Object.fromEntries(inodes),
    inodes_percent_max: Math.max(0, ...inodes.map(([, value]) => value)),
  };
}

/** A file system that hangs makes every program hang that touches it: that is a failure of the host. */
function judgeMounts(readings: readonly MountReading[]): Pick<ProbeOutput, 'reason' | 'error'> {
  const hanging = readings.filter(({ kind }) => kind === 'hanging').map(({ path }) => path);
  if (hanging.length > 0) {
    return { reason: 'timeout', error: `no answer from the file system at ${hanging.join(', ')}` };
  }
  const failed = readings.filter((reading) => reading.kind === 'failed');
  const told = failed.map(({ path, code }) => `${path} (${code})`).join(', ');
  return failed.length > 0 ? { reason: 'not_found', error: `cannot be looked at: ${told}` } : { reason: 'ok' };
}
