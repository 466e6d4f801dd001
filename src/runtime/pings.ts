/**
 * Pings of jobs: finds the heartbeat probe of a key, stores what the job said, and has the probe look at once.
 */
import { RetryableError } from '../errors.ts';
import type { Heartbeat, PingKind, Probe } from '../model.ts';
import type { Clock, ProbeInput, ProbeTypes, Store } from '../ports.ts';
import { hashKey } from '../shared/heartbeat-key.ts';
import type { Backlog } from './backlog.ts';
import { isActive } from './live-probe.ts';

export interface Ping {
  readonly kind: PingKind;
  readonly exitCode?: number;
  readonly body?: string;
}

export interface PingsParts {
  readonly store: Store;
  readonly backlog: Backlog;
  readonly clock: Clock;
  readonly probeTypes: ProbeTypes;
  probes(): Iterable<Probe>;
  wake(probe: string): void;
  redact(text: string): string;
  /** When an earlier process last did anything; undefined: never. */
  heardUntil(): number | undefined;
  /** Wall clock since which pings can reach us. */
  listeningSince(): number;
}

export interface Pings {
  /** False: no heartbeat probe has this key. */
  receive(key: string, ping: Ping): Promise<boolean>;
  readonly heartbeat: ProbeInput['heartbeat'];
}

const BODY_CHARS = 10_000;

export function createPings({
  store,
  backlog,
  clock,
  probeTypes,
  probes,
  wake,
  redact,
  listeningSince,
  heardUntil,
}: PingsParts): Pings {
  function probesOf(keyHash: string): string[] {
    const keyed = [...probes()].filter((probe) => {
      if (!isActive(probe)) return false;
      const key = probeTypes[probe.type]?.pingKey?.(probe.spec);
      return key !== undefined && hashKey(key) === keyHash;
    });
    return keyed.map(({ name }) => name);
  }

  /** Of the keys that were asked for: what was said last is here before it is stored. */
  const known = new Map<string, Heartbeat>();

  async function lookUp(keyHash: string): Promise<Heartbeat> {
    const stored = known.get(keyHash) ?? (await store.heartbeat(keyHash, clock.now()));
    // A ping may have come meanwhile.
    const newest = known.get(keyHash) ?? stored;
    known.set(keyHash, newest);
    return newest;
  }

  /** A key that was never read belongs to a definition that was loaded while the store is away. */
  async function lastHeard(keyHash: string, now: number): Promise<Heartbeat> {
    try {
      return await lookUp(keyHash);
    } catch (error) {
      if (error instanceof RetryableError) return { keyHash, createdAt: now };
      throw error;
    }
  }

  /** What is stored of it began earlier, when there is something. */
  async function keep(keyHash: string): Promise<void> {
    await store.transaction(async (queries) => {
      const heard = known.get(keyHash);
      if (!heard) return;
      const { createdAt } = await queries.heartbeat(keyHash, heard.createdAt);
      await queries.saveHeartbeat({ ...heard, createdAt });
    });
  }

  return {
    /** Returns when it is stored, or kept in memory for as long as the store is away. */
    async receive(key, ping) {
      const keyHash = hashKey(key);
      const names = probesOf(keyHash);
      if (names.length === 0) return false;
      const now = clock.now();
      const before = await lastHeard(keyHash, now);
      known.set(keyHash, pinged(known.get(keyHash) ?? before, ping, now, redact));
      await backlog.write({ key: `heartbeat:${keyHash}`, write: () => keep(keyHash) });
      for (const name of names) wake(name);
      return true;
    },
    async heartbeat(keyHash) {
      const heard = heardUntil();
      const heartbeat = await lookUp(keyHash);
      return { heartbeat, listeningSince: listeningSince(), ...(heard !== undefined && { heardUntil: heard }) };
    },
  };
}

/** What is known of a job after a ping. A log line changes nothing but the body. */
function pinged(
  before: Heartbeat,
  { kind, exitCode, body }: Ping,
  now: number,
  redact: (text: string) => string,
): Heartbeat {
  const { exitCode: _exit, durationMs, ...rest } = before;
  const text = body === undefined ? {} : { body: redact(body).slice(-BODY_CHARS) };
  if (kind === 'log') return { ...before, ...text };
  if (kind === 'start') return { ...before, ...text, lastPingAt: now, lastKind: kind, lastStartAt: now };
  const ran = before.lastKind === 'start' && before.lastStartAt !== undefined ? now - before.lastStartAt : durationMs;
  const failed = kind === 'fail' || (exitCode !== undefined && exitCode !== 0);
  return {
    ...rest,
    ...text,
    lastPingAt: now,
    lastKind: failed ? 'fail' : 'success',
    ...(failed ? {} : { lastSuccessAt: now }),
    ...(ran !== undefined && { durationMs: ran }),
    ...(failed ? { exitCode: exitCode ?? 1 } : exitCode !== undefined && { exitCode }),
  };
}
