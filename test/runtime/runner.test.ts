import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Reason } from '../../src/model.ts';
import { openRuntime, type RuntimeHouse } from './runtime-house.ts';

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

/** What a foreign word finds in a table of ours, or a module makes up. */
it.each<[string, unknown]>([
  ['a function', Object],
  ['an object', {}],
  ['a word that is none', 'slow'],
  ['nothing', undefined],
])('a type that gives %s for a reason is broken, and nothing else is', async (_what, reason) => {
  house.see('odd', () => ({ reason: reason as Reason, fields: {} }));
  await house.start({ probes: [{ name: 'odd' }, { name: 'web' }] });
  await house.until(() => house.looks('odd') > 2 && house.looks('web') > 2);
  expect(house.runtime.views.probe('odd')?.last).toMatchObject({
    observation: { reason: 'internal' },
    verdict: { kind: 'unknown', unknown: 'internal' },
  });
  expect(house.logged).toContainEqual(expect.objectContaining({ level: 'error', event: 'probe_threw' }));
  await house.stop();
  const stored = { from: 0, to: Number.MAX_SAFE_INTEGER, limit: 1_000 };
  expect(await house.store.results({ ...stored, probe: 'web' })).not.toHaveLength(0);
  expect(await house.store.results({ ...stored, probe: 'odd' })).toContainEqual(
    expect.objectContaining({ reason: 'internal' }),
  );
});
