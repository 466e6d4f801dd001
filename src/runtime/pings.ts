/**
 * Pings of jobs: finds the heartbeat probe of a key, stores what the job said, and has the probe look at once.
 */
import type { Heartbeat, PingKind, Probe } from '../model.ts';
import type { Clock, ProbeInput, ProbeTypes, Store } from '../ports.ts';
import { hashKey } from '../shared/heartbeat-key.ts';
import { isActive } from './live-probe.ts';

export interface Ping {
  readonly kind: PingKind;
  readonly exitCode?: number;
  readonly body?: string;
}

export interface PingsParts {
  readonly store: Store;
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

  return {
    async receive(key, ping) {
      const keyHash = hashKey(key);
      const names = probesOf(keyHash);
      if (names.length === 0) return false;
      const now = clock.now();
      await store.transaction(async (queries) => {
        const before = await queries.heartbeat(keyHash, now);
        await queries.saveHeartbeat(pinged(before, ping, now, redact));
      });
      for (const name of names) wake(name);
      return true;
    },
    async heartbeat(keyHash) {
      const heard = heardUntil();
      const heartbeat = await store.heartbeat(keyHash, clock.now());
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
