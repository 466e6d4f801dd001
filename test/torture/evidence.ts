/** Everything that an ordeal is judged by: what others wrote down by themselves, and what the store says. */
import { readFileSync } from 'node:fs';
import type { Attempt, Incident, Notification } from '../../src/model.ts';
import { isAlive, listProcesses } from '../../src/shared/process-table.ts';
import type { SlackCall } from '../estate/fake-slack.ts';
import type { Delivery } from '../estate/receiver.ts';
import type { OracleLine } from '../estate/service.ts';
import type { Arena } from './arena.ts';
import type { NotedBreak, Progress } from './ordeal.ts';
import { openPlace } from './place.ts';
import { SERVICES, type ServiceName } from './round.ts';

export interface Evidence {
  readonly kills: number;
  readonly mishaps: readonly string[];
  readonly breaks: readonly NotedBreak[];
  readonly oracles: ReadonlyMap<ServiceName, readonly OracleLine[]>;
  readonly bus: readonly Delivery[];
  readonly slack: readonly SlackCall[];
  /** Services that do not answer 200. */
  readonly ill: readonly ServiceName[];
  /** Oldest first. */
  readonly incidents: readonly Incident[];
  readonly attempts: readonly Attempt[];
  readonly notifications: readonly Notification[];
  /** Resources whose lock nobody freed. */
  readonly locked: readonly string[];
  /** Command lines that should not run any more. */
  readonly strays: readonly string[];
}

/** More rows than any ordeal makes. */
const ALL = 1_000_000;

/** To be called while no daemon runs and the services still do. */
export async function gather(arena: Arena, { kills, mishaps, breaks }: Progress): Promise<Evidence> {
  const oracles = new Map<ServiceName, readonly OracleLine[]>();
  for (const [name, service] of arena.services) oracles.set(name, await service.oracle());
  return {
    ...{ kills, mishaps, breaks, oracles },
    bus: arena.bus.deliveries(),
    slack: arena.slack.calls(),
    ill: await illServices(arena),
    ...(await stored(arena)),
    strays: strays(arena),
  };
}

async function illServices({ services }: Arena): Promise<ServiceName[]> {
  const ill: ServiceName[] = [];
  for (const name of SERVICES) {
    const url = services.get(name)?.url ?? '';
    const status = await fetch(url, { signal: AbortSignal.timeout(5_000) }).then(
      (answer) => answer.status,
      () => 0,
    );
    if (status !== 200) ill.push(name);
  }
  return ill;
}

async function stored({ home, storeUrl }: Arena) {
  const store = await openPlace({ home: home.path, ...(storeUrl !== undefined && { url: storeUrl }) });
  try {
    const attempts = [...(await store.attempts({ limit: ALL }))].reverse();
    const now = Date.now();
    const locked: string[] = [];
    for (const resource of new Set(attempts.map((attempt) => attempt.resource))) {
      if (resource === '') continue;
      const fence = await store.acquireLock(resource, 'torture', now, now + 60_000);
      if (fence === undefined) locked.push(resource);
      else await store.releaseLock(resource, fence);
    }
    const incidents = [...(await store.incidents({ limit: ALL }))].reverse();
    const notifications = [...(await store.notifications({ limit: ALL }))].reverse();
    return { attempts, incidents, notifications, locked };
  } finally {
    await store.close();
  }
}

/** Processes of the arena: one service each is right, everything else is left over. */
function strays({ folder }: Arena): string[] {
  const left = listProcesses()
    .filter(isAlive)
    .map(({ pid }) => commandLine(pid))
    .filter((line) => line.includes(`${folder}/`));
  return SERVICES.reduce(
    (lines, name) => {
      const own = lines.findIndex((line) => line.includes(`${folder}/${name}/service.cjs`));
      return own === -1 ? lines : lines.toSpliced(own, 1);
    },
    left.filter((line) => line.includes('.cjs')),
  );
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim();
  } catch {
    // It ended meanwhile.
    return '';
  }
}
