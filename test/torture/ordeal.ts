/**
 * The ordeal: services are broken at random while the daemon is killed at random and started again, and at the end it has to
 * heal everything and to account for it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FAILPOINT_CONSENT, FAILPOINT_VARIABLE } from '../../src/failpoint.ts';
import { type Daemon, until } from '../estate/daemon.ts';
import type { Arena } from './arena.ts';
import { type PlannedBreak, planRound, type Round, SERVICES, type ServiceName } from './round.ts';

/** What is remembered from one piece of an ordeal to the next. */
export interface Progress {
  readonly seed: string;
  readonly kills: number;
  /** How the daemon died: `by hand`, `while starting`, or the failpoint. */
  readonly deaths: Readonly<Record<string, number>>;
  /** Breaks of services that were well and known to be: each must become an incident. */
  readonly breaks: readonly NotedBreak[];
  readonly elapsedMs: number;
  /** What went wrong on the way: a daemon that ended by itself. */
  readonly mishaps: readonly string[];
  /** In a cluster: from the death of a daemon until the one that stood by had started, each in milliseconds. */
  readonly takeoversMs: readonly number[];
  /** When the last one died. */
  readonly diedAt?: number;
}

export interface NotedBreak {
  readonly service: ServiceName;
  readonly how: string;
  readonly at: number;
  readonly eager: boolean;
}

export function newProgress(seed: string): Progress {
  return { seed, kills: 0, deaths: {}, breaks: [], elapsedMs: 0, mishaps: [], takeoversMs: [] };
}

/** Rounds until `kills` are reached or the time is up. `onRound` is told after each. */
export async function suffer(
  arena: Arena,
  before: Progress,
  limits: { readonly kills: number; readonly untilMs: number },
  onRound: (progress: Progress) => void,
): Promise<Progress> {
  let progress = before;
  while (progress.kills < limits.kills && performance.now() < limits.untilMs) {
    const beganMs = performance.now();
    const { death, breaks, mishap, takeoverMs, diedAt } = await liveAndDie(arena, progress);
    progress = {
      ...progress,
      kills: progress.kills + 1,
      deaths: { ...progress.deaths, [death]: (progress.deaths[death] ?? 0) + 1 },
      breaks: [...progress.breaks, ...breaks],
      elapsedMs: progress.elapsedMs + performance.now() - beganMs,
      mishaps: [...progress.mishaps, ...(mishap === undefined ? [] : [mishap])],
      takeoversMs: [...progress.takeoversMs, ...(takeoverMs === undefined ? [] : [takeoverMs])],
      diedAt,
    };
    onRound(progress);
  }
  return progress;
}

interface Outcome {
  readonly death: string;
  readonly breaks: readonly NotedBreak[];
  readonly mishap?: string;
  readonly takeoverMs?: number;
  readonly diedAt: number;
}

async function liveAndDie(arena: Arena, before: Progress): Promise<Outcome> {
  const { seed, kills, breaks: earlier } = before;
  const round = planRound(seed, kills + 1);
  const daemon = await arena.start({ ready: false, environment: variablesOf(round) });
  const dead = new AbortController();
  if (!round.whileStarting) {
    await begun(daemon);
    await arena.standBy(variablesOf(planRound(seed, kills + 2)));
  }
  const breaking = breakThings(arena, { planned: round.breaks, earlier, dead: dead.signal });
  const ended = daemon.exited.then(() => 'ended' as const);
  const how = await Promise.race([ended, sleep(round.livesMs, 'kill' as const)]);
  const started = hasStarted(daemon);
  if (how === 'kill') await daemon.kill();
  const code = await daemon.exited;
  const diedAt = Date.now();
  dead.abort();
  const breaks = await breaking;
  await sleep(round.pauseMs);
  const mishap = code === null ? undefined : `the daemon ended with ${code}: ${daemon.output().trim()}`;
  const byItself = round.failpoint?.name ?? 'nothing known';
  const death = how === 'ended' ? byItself : started ? 'by hand' : 'while starting';
  const takeoverMs = takeoverOf(daemon, before.diedAt);
  return {
    death,
    breaks,
    diedAt,
    ...(mishap !== undefined && { mishap }),
    ...(takeoverMs !== undefined && { takeoverMs }),
  };
}

/** Of a daemon that stood by already when the one before it died, and lived to start. */
function takeoverOf({ log }: Daemon, diedAt = 0): number | undefined {
  const timeOf = (name: string) => Date.parse(String(log.find(({ event }) => event === name)?.['time']));
  return timeOf('standing_by') < diedAt && timeOf('started') >= diedAt ? timeOf('started') - diedAt : undefined;
}

/** It has started, or has died before. */
async function begun(daemon: Daemon): Promise<void> {
  let over = false;
  void daemon.exited.then(() => {
    over = true;
  });
  await until(() => over || hasStarted(daemon), { withinMs: 60_000, what: 'the daemon to start' });
}

function hasStarted({ log }: Daemon): boolean {
  return log.some(({ event }) => event === 'started');
}

function variablesOf({ failpoint }: Round): Readonly<Record<string, string>> {
  if (!failpoint) return {};
  return {
    [FAILPOINT_VARIABLE]: `${failpoint.name}=kill@${failpoint.passage}`,
    [FAILPOINT_CONSENT.name]: FAILPOINT_CONSENT.value,
  };
}

interface Breaking {
  readonly planned: readonly PlannedBreak[];
  readonly earlier: readonly NotedBreak[];
  /** What is still to be broken when the daemon is dead is broken at once. */
  readonly dead: AbortSignal;
}

async function breakThings(arena: Arena, { planned, earlier, dead }: Breaking): Promise<NotedBreak[]> {
  const noted: NotedBreak[] = [];
  const beganMs = performance.now();
  for (const { service: name, how, afterMs, fix, eager } of planned) {
    await pause(beganMs + afterMs - performance.now(), dead);
    const service = arena.services.get(name);
    const well = isOver(arena, name, [...earlier, ...noted]);
    if (!service || !(well || eager)) continue;
    await service.nextFix(fix);
    noted.push({ service: name, how, at: Date.now(), eager: !well });
    await service.break(how);
  }
  return noted;
}

async function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  if (durationMs <= 0 || signal.aborted) return;
  const early = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  await Promise.race([sleep(durationMs), early]);
}

/** Kinds of alerts that end what people were told. */
export const ENDS: ReadonlySet<string> = new Set(['resolved', 'healed_itself']);

/** It was never broken, or the last that was heard since is that it is well. */
function isOver({ bus }: Arena, name: ServiceName, breaks: readonly NotedBreak[]): boolean {
  const broken = breaks.findLast(({ service }) => service === name);
  const last = bus.deliveries().findLast(({ body }) => body.incident?.subject === name)?.body;
  if (last === undefined) return broken === undefined;
  return ENDS.has(last.kind) && Date.parse(last.at) >= (broken?.at ?? 0);
}

interface Status {
  readonly probes: readonly { readonly name: string; readonly state: string; readonly verdict?: string }[];
  readonly incidents: readonly { readonly source: string }[];
  readonly attempts: readonly unknown[];
}

/** A last start that nothing disturbs: everything is healed, said and put on record. Returns the daemon's exit code. */
export async function settle(arena: Arena, withinMs: number): Promise<number | null> {
  await arena.dismiss();
  const daemon = await arena.start({ ready: true });
  let status: Status | undefined;
  const quiet = async () => {
    status = await daemon.api<Status>('status');
    return isQuiet(status) && (await queued(daemon)) === 0;
  };
  await until(quiet, { withinMs, what: 'everything to be healed and said' }).catch((error: unknown) => {
    throw new Error(`it did not come to rest: ${JSON.stringify(status)}`, { cause: error });
  });
  return daemon.stop();
}

function isQuiet({ probes, incidents, attempts }: Status): boolean {
  const healthy = (name: ServiceName) =>
    probes.some((probe) => probe.name === name && probe.state === 'up' && probe.verdict === 'pass');
  return SERVICES.every(healthy) && incidents.every(({ source }) => source === 'self') && attempts.length === 0;
}

/** Alerts that wait to be sent, as the metrics say. */
async function queued(daemon: Daemon): Promise<number> {
  const text = await (await daemon.fetch('/metrics')).text();
  const counts = [...text.matchAll(/^brainstem_notification_queue\{[^}]*\} (\d+)/gm)].map(([, count]) => Number(count));
  return counts.reduce((sum, count) => sum + count, 0);
}
