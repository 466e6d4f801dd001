/** Plays a break, and compares what the daemon says with what it must: which probes go down, why, how soon, and whose children. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Daemon } from '../test/estate/daemon.ts';
import { incidentsOf } from '../test/estate/scene.ts';
import { BREAKS, type Break } from './breaks.ts';
import type { World } from './parts/index.ts';
import type { Stage } from './stage.ts';

const POLL_MS = 200;
const GREEN_WITHIN_MS = 90_000;
const SLACK_MS = 2_000;

export interface Played {
  readonly name: string;
  /** When the last of those that must go down did. */
  readonly seenMs: number;
  /** What the definitions allow. */
  readonly allowedMs: number;
  /** What is not as it must be; none: all is. */
  readonly problems: readonly string[];
}

interface SeenProbe {
  readonly name: string;
  readonly state: string;
  readonly reason?: string;
}

/** What is neither up nor degraded; what is unconfigured or paused is not looked at. */
async function notGreen(daemon: Daemon): Promise<readonly SeenProbe[]> {
  const { probes } = await daemon.api<{ probes: SeenProbe[] }>('probes');
  return probes.filter(({ state }) => state === 'down' || state === 'unknown');
}

/** Waits until every probe is up or degraded. Errors: which are not, and why. */
export async function untilGreen(daemon: Daemon, withinMs = GREEN_WITHIN_MS): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const red = await notGreen(daemon);
    if (red.length === 0) return;
    if (performance.now() > deadline) throw new Error(`not green after ${withinMs / 1_000} s: ${tellAll(red)}`);
    await sleep(POLL_MS);
  }
}

const tellAll = (probes: readonly SeenProbe[]) =>
  probes.map(({ name, state, reason }) => `${name} ${state} (${reason})`).join(', ');

/** The part must be there, and everything green. Afterwards it is mended, and everything is green again. */
export async function play(stage: Stage, name: string): Promise<Played> {
  const chosen = BREAKS[name];
  if (!chosen) throw new Error(`no break ${name}`);
  // The part that the break needs is there: the caller has looked.
  const world = stage.world as World;
  const begun = performance.now();
  await chosen.does(world);
  const problems: string[] = [];
  try {
    const allowedMs = (await allowedFor(stage.daemon, Object.keys(chosen.red))) + (chosen.afterMs ?? 0);
    const seenMs = await untilRed(stage.daemon, chosen, begun, allowedMs, problems);
    await untilChildren(stage.daemon, chosen, problems);
    problems.push(...(await strangers(stage.daemon, chosen)));
    return { name, seenMs, allowedMs, problems };
  } finally {
    await chosen.mends(world);
    await untilGreen(stage.daemon);
  }
}

interface Definition {
  readonly every_ms: number;
  readonly retry_every_ms?: number;
  readonly fail_after: number;
  readonly timeout_ms: number;
}

/** `every + (fail_after − 1) × retry_every + fail_after × timeout + 2 s` of their definitions, of the slowest. */
async function allowedFor(daemon: Daemon, names: readonly string[]): Promise<number> {
  const definitions = await Promise.all(names.map((name) => daemon.api<Definition>(`probes/${name}`)));
  const each = definitions.map(
    ({ every_ms: everyMs, retry_every_ms: retryEveryMs = everyMs, fail_after: failAfter, timeout_ms: timeoutMs }) =>
      everyMs + (failAfter - 1) * retryEveryMs + failAfter * timeoutMs,
  );
  return Math.max(0, ...each) + SLACK_MS;
}

async function untilRed(
  daemon: Daemon,
  { red }: Break,
  begun: number,
  allowedMs: number,
  problems: string[],
): Promise<number> {
  for (;;) {
    const down = await downOf(daemon);
    const wrong = Object.entries(red).filter(([name, reason]) => down.get(name) !== reason);
    const seenMs = performance.now() - begun;
    if (wrong.length === 0) return seenMs;
    if (seenMs > allowedMs) {
      problems.push(...wrong.map(([name, reason]) => `${name} is ${down.get(name) ?? 'not down'}, must be ${reason}`));
      return seenMs;
    }
    await sleep(POLL_MS);
  }
}

/** Reasons of what is down, by name. */
async function downOf(daemon: Daemon): Promise<ReadonlyMap<string, string>> {
  const red = await notGreen(daemon);
  return new Map(red.filter(({ state }) => state === 'down').map(({ name, reason = '' }) => [name, reason]));
}

/** Their time begins when those are down that they depend on. */
async function untilChildren(daemon: Daemon, { red, children = [] }: Break, problems: string[]): Promise<void> {
  const deadline = performance.now() + (await allowedFor(daemon, children));
  const orphans = async () => {
    const roots = new Set(
      (await Promise.all(Object.keys(red).map((name) => openOf(daemon, name)))).map((one) => one?.id),
    );
    const open = await Promise.all(children.map(async (name) => [name, await openOf(daemon, name)] as const));
    const family = new Set([...roots, ...open.map(([, incident]) => incident?.id)]);
    return open.flatMap(([name, incident]) =>
      incident?.parent_id !== undefined && family.has(incident.parent_id) ? [] : [name],
    );
  };
  let left = await orphans();
  while (left.length > 0 && performance.now() < deadline) {
    await sleep(POLL_MS);
    left = await orphans();
  }
  problems.push(...left.map((name) => `${name} is no child`));
}

async function openOf(daemon: Daemon, name: string) {
  const [newest] = await incidentsOf(daemon, name);
  return newest?.resolved_at === undefined ? newest : undefined;
}

/** What is not green besides. */
async function strangers(daemon: Daemon, { red, children = [] }: Break): Promise<readonly string[]> {
  const others = (await notGreen(daemon)).filter(({ name }) => !(name in red) && !children.includes(name));
  return others.map(({ name, state, reason }) => `${name} is ${state} too (${reason})`);
}
