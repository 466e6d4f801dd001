import { beforeEach, describe, expect, it } from 'vitest';
import type { Probe, StateName } from '../../src/model.ts';
import { createDependencies } from '../../src/runtime/dependencies.ts';
import { createLiveProbe, type LiveProbe } from '../../src/runtime/live-probe.ts';
import { aProbe } from '../engine/definitions.ts';
import { ownedClock } from './runtime-house.ts';

const clock = ownedClock();
let probes: Map<string, LiveProbe>;
let ran: string[];
/** What a run finds, by probe. */
let finds: Map<string, () => void>;
beforeEach(() => {
  [probes, ran, finds] = [new Map(), [], new Map()];
});

const dependencies = createDependencies({
  clock,
  live: (name) => probes.get(name),
  all: () => probes.values(),
  async runNow(name) {
    ran.push(name);
    saw(name);
    finds.get(name)?.();
  },
});

function saw(name: string): void {
  const probe = live(name);
  probe.endedAt = clock.monotonic();
  probe.last = {
    observation: { probe: name, startedAt: clock.now(), latencyMs: 1, reason: 'ok', fields: {} },
    verdict: { kind: 'pass', reason: 'ok', decidedBy: [], summary: 'ok' },
  };
}

function live(name: string): LiveProbe {
  const probe = probes.get(name);
  if (!probe) throw new Error(`no ${name}`);
  return probe;
}

function add(name: string, dependsOn: readonly string[], changes: Partial<Probe> = {}): LiveProbe {
  const probe = createLiveProbe(aProbe({ name, dependsOn, ...changes }), undefined, clock.now());
  probes.set(name, probe);
  return set(probe, 'up');
}

function set(probe: LiveProbe, state: StateName, failing = 0): LiveProbe {
  probe.state = { ...probe.state, state, streaks: { ...probe.state.streaks, failing } };
  return probe;
}

describe('the root of a failure', () => {
  it('is the dependency that stands on nothing else that is down, however it is written', async () => {
    add('disk', []);
    add('cache', ['database']);
    add('database', ['disk']);
    const app = add('app', ['database', 'cache']);
    set(live('cache'), 'down');
    set(live('database'), 'down');
    expect(dependencies.downRoot(app.definition)?.definition.name).toBe('database');
    set(live('disk'), 'down');
    expect(dependencies.downRoot(app.definition)?.definition.name).toBe('disk');
  });

  it.each([
    ['paused', { paused: true }],
    ['unconfigured', { unset: ['URL'] }],
  ])('is never one that is %s', async (_, changes) => {
    add('database', [], changes);
    const app = add('app', ['database']);
    set(live('database'), 'down');
    expect(await dependencies.check(app)).toEqual({ answer: 'go', root: undefined });
    expect(ran).toEqual([]);
  });
});

describe('a probe about to be down', () => {
  it('has every dependency probed first, at most once per two seconds for all who ask', async () => {
    add('disk', []);
    add('database', ['disk']);
    const [one, other] = [add('one', ['database']), add('other', ['database'])];
    for (const child of [one, other]) child.firstFailureAt = clock.now();
    await dependencies.check(one);
    await dependencies.check(other);
    expect(ran.sort()).toEqual(['database', 'disk']);
    clock.advance(2_001);
    await dependencies.check(one);
    expect(ran).toHaveLength(4);
  });

  it('waits for a dependency that fails unconfirmed, no longer than that one needs', async () => {
    add('database', [], { failAfter: 3, retryEveryMs: 1_000, timeoutMs: 500 });
    const app = add('app', ['database']);
    finds.set('database', () => set(live('database'), 'up', 1));
    const waiting = await dependencies.check(app);
    expect(waiting.answer).toBe('wait');
    if (waiting.answer === 'wait') expect(waiting.until - clock.monotonic()).toBeLessThanOrEqual(2_500);
    clock.advance(2_501);
    expect(await dependencies.check(app)).toEqual({ answer: 'go', root: undefined });
  });

  it('opens below a dependency that is confirmed meanwhile', async () => {
    add('database', []);
    const app = add('app', ['database']);
    finds.set('database', () => set(live('database'), 'down', 3));
    expect(await dependencies.check(app)).toEqual({ answer: 'go', root: live('database') });
  });
});

it('names who stands on a probe, nearest first', () => {
  add('database', []);
  add('page', ['app']);
  add('app', ['database']);
  add('other', []);
  expect(dependencies.dependants('database')).toEqual(['app', 'page']);
});
