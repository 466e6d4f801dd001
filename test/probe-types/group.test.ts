import { describe, expect, test } from 'vitest';
import { AppError, RetryableError } from '../../src/errors.ts';
import type { Context, MemberState, ProbeInput } from '../../src/ports.ts';
import { group } from '../../src/probe-types/group.ts';

const heartbeat = () => Promise.reject(new Error('not a heartbeat'));
const nothing = {} as Context;

function ask(spec: Record<string, unknown>, states: Readonly<Record<string, MemberState>>) {
  const input: ProbeInput = { probe: 'g', heartbeat, stateOf: (name) => states[name] };
  const probes = Object.keys(states);
  return group.run(group.spec.parse({ probes, ...spec }), input, nothing);
}

describe('a group', () => {
  test('without a number wants all of them', async () => {
    expect(await ask({}, { a: 'up', b: 'degraded' })).toMatchObject({
      reason: 'ok',
      fields: { up: 2, total: 2, down: [], unknown: 0 },
    });
    expect(await ask({}, { a: 'up', b: 'down' })).toEqual({
      reason: 'unhealthy',
      fields: { up: 1, total: 2, down: ['b'], unknown: 0 },
      error: '1 of 2 up, 2 wanted; down: b',
    });
  });

  test.each<[Record<string, unknown>, number, string]>([
    [{ quorum: 2 }, 2, 'ok'],
    [{ quorum: 2 }, 1, 'unhealthy'],
    [{ share: 0.5 }, 2, 'ok'],
    [{ share: 0.5 }, 1, 'unhealthy'],
    [{ share: 0.25 }, 1, 'ok'],
    [{ share: 0.6 }, 2, 'unhealthy'],
  ])('with %j of four and %d up is %s', async (spec, up, reason) => {
    const states = ['a', 'b', 'c', 'd'].map((name, index) => [name, index < up ? 'up' : 'down']);
    expect(await ask(spec, Object.fromEntries(states))).toMatchObject({ reason });
  });

  test('leaves out those that are paused, unconfigured, in maintenance or gone', async () => {
    const states = { a: 'up', b: 'paused', c: 'unconfigured', d: 'maintenance' } as const;
    expect(await ask({ probes: ['a', 'b', 'c', 'd', 'e'] }, states)).toMatchObject({
      reason: 'ok',
      fields: { total: 1 },
    });
    // Pausing one does not break the whole.
    expect(await ask({ quorum: 2 }, states)).toMatchObject({ reason: 'ok' });
    expect(await ask({ quorum: 2 }, { ...states, a: 'down' })).toMatchObject({ reason: 'unhealthy' });
  });

  test('decides as soon as those that cannot tell cannot change it, and not before', async () => {
    expect(await ask({ quorum: 1 }, { a: 'up', b: 'unknown' })).toMatchObject({
      reason: 'ok',
      fields: { unknown: 1 },
    });
    expect(await ask({ quorum: 2 }, { a: 'down', b: 'unknown' })).toMatchObject({ reason: 'unhealthy' });
    expect(await ask({ quorum: 2 }, { a: 'up', b: 'unknown' })).toEqual({
      reason: 'unhealthy',
      unknown: 'witness_away',
      fields: { up: 1, total: 2, down: [], unknown: 1 },
      error: '1 of its probes cannot tell',
    });
  });

  test('leaves all as it was while some have not been judged, or none is watched', async () => {
    const states = { a: 'up', b: 'unknown', c: 'unjudged' } as const;
    expect(await ask({ quorum: 1 }, states)).toMatchObject({ reason: 'ok', fields: { total: 3, unknown: 2 } });
    await expect(ask({ quorum: 2 }, states)).rejects.toBeInstanceOf(RetryableError);
    await expect(ask({}, { a: 'paused' })).rejects.toBeInstanceOf(RetryableError);
  });

  test('needs the daemon that knows the states', async () => {
    const spec = group.spec.parse({ probes: ['a'] });
    await expect(group.run(spec, { probe: 'g', heartbeat }, nothing)).rejects.toBeInstanceOf(AppError);
  });

  test('names a hundred at most', async () => {
    const states = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`p${index}`, 'down' as const]));
    const { fields, error } = await ask({}, states);
    expect(fields['down']).toHaveLength(100);
    expect(error).toMatch(/and 490 more$/);
  });

  test('says how many more there are also when their names are long', async () => {
    const name = (index: number) => `shop[${'x'.repeat(60)}${index}]`;
    const states = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [name(index), 'down' as const]));
    const { error } = await ask({}, states);
    expect(error).toBe(`0 of 30 up, 30 wanted; down: ${name(0)}, ${name(1)} and 28 more`);
  });

  test('says how many are not known yet, when it is decided without them', async () => {
    const { error } = await ask({ quorum: 3 }, { a: 'up', b: 'down', c: 'unknown' });
    expect(error).toBe('1 of 3 up, 1 not known yet, 3 wanted; down: b');
  });
});

test.each([
  { probes: [] },
  { probes: ['a'], quorum: 0 },
  { probes: ['a'], share: 1.1 },
  { probes: ['a'], quorum: 1, share: 0.5 },
])('refuses %j', (spec) => {
  expect(group.spec.safeParse(spec).success).toBe(false);
});
