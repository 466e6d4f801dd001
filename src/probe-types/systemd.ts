/**
 * Probe type `systemd`: one unit of a systemd: running, failed, restarting, stopped, what it uses. A systemd that does not
 * answer is its own fault, told apart from every fault of a unit.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { FieldDeclarations, Fields } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { describeManager, managerOptions, printManager, unitName } from '../shared/systemd-manager.ts';
import { interventionOf, type Shown, showUnit, type Unit } from '../shared/systemd-unit.ts';
import { judge } from './systemd-judge.ts';

const systemdSpec = z.strictObject({ unit: unitName(), ...managerOptions() });
type SystemdSpec = z.output<typeof systemdSpec>;

const fields: FieldDeclarations = {
  unit: { type: 'string', summary: 'full name of the unit, whatever alias was asked for' },
  active: { type: 'bool', summary: 'it runs, or is mounted, listens, waits …' },
  active_state: { type: 'string', summary: 'active, reloading, inactive, failed, activating or deactivating' },
  sub_state: { type: 'string', summary: "the same by the unit's type: running, exited, dead, auto-restart, waiting …" },
  result: { type: 'string', summary: 'of its last life: success, exit-code, signal, timeout, watchdog, oom-kill …' },
  restarts: { type: 'double', summary: 'how often systemd restarted it by itself since it was last started' },
  exit_code: { type: 'double', summary: 'of its last main process, 128 + n after a signal; null before its first end' },
  main_pid: { type: 'double', summary: 'process id of its main process; null without one' },
  cpu_percent: { type: 'double', unit: '%', summary: 'of one core since the last run; null without CPU accounting' },
  memory_bytes: { type: 'double', unit: 'B', summary: 'of all its processes; null without memory accounting' },
  since_s: { type: 'double', unit: 's', summary: 'time in this state, by the second' },
};

interface CpuReading {
  /** Monotonic ms. */
  readonly at: number;
  readonly usedNs: number;
}

/** The first run of a definition has nothing to compare with: it looks twice, this far apart. */
const CPU_SAMPLE_MS = 200;

/** Remembers what CPU time each definition saw last. */
export function createSystemdProbeType(): ProbeType<typeof systemdSpec> {
  const readings = new WeakMap<SystemdSpec, CpuReading>();

  async function cpuOf(spec: SystemdSpec, unit: Unit, look: () => Promise<Shown>, context: Context): Promise<Fields> {
    const { clock, signal, timeoutMs } = context;
    let before = readings.get(spec);
    let now = readingOf(unit, clock.monotonic());
    if (now && !before) {
      before = now;
      await sleep(Math.min(CPU_SAMPLE_MS, timeoutMs / 4), undefined, { signal }).catch(unlessAborted(signal));
      const again = await look();
      now = again.kind === 'unit' ? readingOf(again.unit, clock.monotonic()) : undefined;
    }
    if (now) readings.set(spec, now);
    else readings.delete(spec);
    return before && now && now.usedNs >= before.usedNs ? { cpu_percent: percentBetween(before, now) } : {};
  }

  async function run(spec: SystemdSpec, input: ProbeInput, context: Context): Promise<ProbeOutput> {
    const { folder = '.', reads } = input;
    const began = context.clock.monotonic();
    const look = () => showUnit(spec, spec.unit, { folder, context });
    const shown = await look();
    if (shown.kind === 'fault') return { ...shown.fault, fields: {} };
    const latencyMs = context.clock.monotonic() - began;
    const { unit } = shown;
    const now = context.clock.now();
    const intervention = interventionOf(unit, now);
    const wantsCpu = reads?.has('cpu_percent') ?? true;
    return {
      ...judge(unit, intervention?.certain ?? false, now),
      fields: { ...fieldsOf(unit, now), ...(wantsCpu && (await cpuOf(spec, unit, look, context))) },
      latencyMs,
      ...(intervention && { intervention }),
    };
  }

  return {
    name: 'systemd',
    summary: 'A unit of systemd: active, failed, restarting, stopped; restarts, CPU, memory',
    spec: systemdSpec,
    mainOption: 'unit',
    example: 'name: ssh-server\nsystemd: { unit: ssh }\nexpect:\n  - restarts < 3',
    fields,
    families: [],
    target: (spec) => [spec.unit, describeManager(spec)].filter((part) => part !== '').join(' by '),
    resource(spec, { unit }) {
      const name = typeof unit === 'string' && unit !== '' ? unit : spec.unit;
      return { kind: 'unit', name, at: printManager(spec) };
    },
    run,
  };
}

function unlessAborted(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error;
  };
}

function readingOf({ cpuNs }: Unit, at: number): CpuReading | undefined {
  return cpuNs === undefined ? undefined : { at, usedNs: cpuNs };
}

function percentBetween(before: CpuReading, now: CpuReading): number {
  return ((now.usedNs - before.usedNs) / 1e6 / Math.max(1, now.at - before.at)) * 100;
}

const ACTIVE: ReadonlySet<string> = new Set(['active', 'reloading', 'refreshing']);

function fieldsOf(unit: Unit, now: number): Fields {
  return {
    unit: unit.id,
    active: ACTIVE.has(unit.active),
    active_state: unit.active,
    sub_state: unit.sub,
    result: unit.result,
    restarts: unit.restarts,
    exit_code: unit.exitCode,
    main_pid: unit.mainPid,
    memory_bytes: unit.memoryBytes,
    since_s: unit.changedAt === undefined ? undefined : Math.max(0, (now - unit.changedAt) / 1_000),
  };
}
