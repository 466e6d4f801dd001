import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Configuration, StateName } from '../../src/model.ts';
import { createLiveProbe, type LiveProbe } from '../../src/runtime/live-probe.ts';
import { startRearm } from '../../src/runtime/rearm.ts';
import type { Switches } from '../../src/runtime/switches.ts';
import { aProbe, aRemediation } from '../engine/definitions.ts';
import { quietLog } from '../notifiers/alerts.ts';

const HOUR_MS = 3_600_000;
const NAMES_IT = { remediate: [{ rungs: [{ remediation: 'restart', tries: 1 }] }] };

let armed: string[];
let probes: LiveProbe[];
let isUp: boolean;
let rearm: { stop(): void };

beforeEach(() => {
  vi.useFakeTimers({ now: HOUR_MS });
  [armed, probes, isUp] = [[], [], true];
  const remediation = aRemediation({ limit: { count: 3, windowMs: HOUR_MS } });
  rearm = startRearm({
    clock: { now: () => Date.now(), monotonic: () => Date.now() },
    log: quietLog,
    switches: {
      disarmed: () => (armed.length > 0 ? [] : [{ remediation: 'restart', at: HOUR_MS, why: 'spent' }]),
      arm: async (name: string) => {
        armed.push(name);
        return true;
      },
    } as Partial<Switches> as Switches,
    configuration: () =>
      ({ remediations: new Map([['restart', remediation]]) }) as Partial<Configuration> as Configuration,
    all: () => probes,
    storeUp: () => isUp,
  });
});
afterEach(() => {
  rearm.stop();
  vi.useRealTimers();
});

function add(state: StateName, since: number, changes = {}): LiveProbe {
  const probe = createLiveProbe(aProbe({ ...NAMES_IT, ...changes }), undefined, since);
  probe.state = { ...probe.state, state, since };
  probes.push(probe);
  return probe;
}

it('arms what every probe that names it has been without for as long as its limit looks back', async () => {
  add('up', HOUR_MS);
  await vi.advanceTimersByTimeAsync(HOUR_MS - 20_000);
  expect(armed).toEqual([]);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(armed).toEqual(['restart']);
});

it('waits while one of them is not up, or came up only lately', async () => {
  add('up', 0);
  const other = add('down', 0);
  await vi.advanceTimersByTimeAsync(3 * HOUR_MS);
  expect(armed).toEqual([]);
  other.state = { ...other.state, state: 'up', since: Date.now() };
  await vi.advanceTimersByTimeAsync(HOUR_MS - 20_000);
  expect(armed).toEqual([]);
  await vi.advanceTimersByTimeAsync(30_000);
  expect(armed).toEqual(['restart']);
});

it('does not wait for probes that are paused or unconfigured, and arms nothing that no probe is watched for', async () => {
  add('paused', 0, { paused: true });
  add('unconfigured', 0, { unset: ['URL'] });
  await vi.advanceTimersByTimeAsync(2 * HOUR_MS);
  expect(armed).toEqual([]);
  add('up', 0);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(armed).toEqual(['restart']);
});

it('asks nothing of a store that is away', async () => {
  add('up', 0);
  isUp = false;
  await vi.advanceTimersByTimeAsync(2 * HOUR_MS);
  expect(armed).toEqual([]);
  isUp = true;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(armed).toEqual(['restart']);
});
