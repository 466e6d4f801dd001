import { describe, expect, test } from 'vitest';
import type { ExpectedVariable } from '../../src/model.ts';
import type { Log } from '../../src/ports.ts';
import { environment } from '../../src/probe-types/environment.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

const variable = (name: string, state: ExpectedVariable['state'], rest: Partial<ExpectedVariable> = {}) => ({
  ...{ name, state, neededBy: [], required: true },
  ...rest,
});

const look = (manifest: readonly ExpectedVariable[], spec: Record<string, unknown> = {}) =>
  environment.run(
    environment.spec.parse(spec),
    { probe: 'variables', manifest, heartbeat: () => Promise.reject(new Error('not a heartbeat')) },
    { signal: AbortSignal.timeout(5_000), timeoutMs: 5_000, clock: { now: () => 0, monotonic: () => 0 }, log },
  );

const ESTATE = [
  variable('DATABASE_URL', 'set', { neededBy: ['api'] }),
  variable('SLACK_BOT_TOKEN', 'missing', { owner: 'platform', rotate: 'docs/slack.md', neededBy: ['alerts'] }),
  variable('STRIPE_KEY', 'invalid', { owner: 'payments', neededBy: ['api', 'alerts'] }),
  variable('DEBUG', 'missing', { required: false }),
];

test('all set is fine', async () => {
  expect(await look([variable('A', 'set')])).toEqual({
    reason: 'ok',
    fields: { expected: 1, configured_ratio: 1, missing: [], invalid: [], owners: [] },
  });
});

test('what is missing and what is invalid is told by name, with owner and how to renew it', async () => {
  expect(await look(ESTATE)).toEqual({
    reason: 'condition',
    fields: {
      expected: 3,
      configured_ratio: 1 / 3,
      missing: ['SLACK_BOT_TOKEN'],
      invalid: ['STRIPE_KEY'],
      owners: ['platform', 'payments'],
    },
    error:
      '2 of 3 variables: SLACK_BOT_TOKEN is missing (owner: platform; renew: docs/slack.md); STRIPE_KEY does not match its pattern (owner: payments)',
  });
});

describe('less than all', () => {
  test('is enough where the definition says so', async () => {
    expect((await look(ESTATE, { at_least: 0.3 })).reason).toBe('ok');
    expect((await look(ESTATE, { at_least: 0.4 })).reason).toBe('condition');
  });

  test('is looked at for one that needs it', async () => {
    expect(await look(ESTATE, { needed_by: ['api'] })).toMatchObject({
      reason: 'condition',
      fields: { expected: 2, missing: [], invalid: ['STRIPE_KEY'] },
    });
    expect(await look(ESTATE, { needed_by: ['nobody'] })).toMatchObject({ reason: 'not_found' });
  });
});

test('an empty manifest expects nothing', async () => {
  expect(await look([])).toMatchObject({ reason: 'ok', fields: { expected: 0, configured_ratio: 1 } });
});

test('thousands of them are told in a few words', async () => {
  const many = Array.from({ length: 5_000 }, (_, index) => variable(`V${index}`, 'missing'));
  const { fields, error } = await look(many);
  expect(fields['missing']).toHaveLength(100);
  expect(error).toMatch(/^5000 of 5000 variables: V0 is missing; .*; and 4995 more$/);
});
