/** A probe that is changed, paused, removed or closed by hand while something about it is under way. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Condition } from '../../src/model.ts';
import type { ProbeOutput } from '../../src/ports.ts';
import { gate, openRuntime, type RuntimeHouse } from './runtime-house.ts';

/** A condition that never holds. */
const never: Condition = {
  ...{ source: 'false', location: { file: 'probes/test.yaml', line: 1, column: 1 }, paths: [], windows: [] },
  evaluate: () => ({ outcome: 'false', detail: '' }),
};

const FAILS: ProbeOutput = { reason: 'timeout', fields: {} };

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

describe('a probe that is paused while it runs', () => {
  it('stays paused, and opens no incident, whatever that run saw', async () => {
    const run = gate<ProbeOutput>();
    house.see('web', () => run.promise);
    await house.start({ probes: [{ name: 'web', failAfter: 1 }] });
    await house.until(() => house.looks('web') === 1);
    await house.apply({ probes: [{ name: 'web', failAfter: 1, paused: true }] });
    run.open(FAILS);
    await settled();
    expect(house.state('web')).toBe('paused');
    expect(house.open('web')).toBeUndefined();
  });
});

describe('a probe that goes away while its change of state is being confirmed', () => {
  it.each([
    ['removed', []],
    ['paused', [{ name: 'child', failAfter: 1, dependsOn: ['root'], paused: true }]],
  ])('leaves no open incident behind when it is %s', async (_, after) => {
    const run = gate<ProbeOutput>();
    await house.start({ probes: [{ name: 'root' }, { name: 'child', failAfter: 1, dependsOn: ['root'] }] });
    await house.until(() => house.state('child') === 'up' && house.state('root') === 'up');
    // The child's DOWN waits for the answer of its dependency.
    house.see('root', () => run.promise);
    const looks = house.looks('root');
    await house.until(() => house.looks('root') > looks);
    house.see('child', 'timeout');
    const failing = house.looks('child');
    await house.until(() => house.looks('child') > failing);
    await settled();
    await house.apply({ probes: [{ name: 'root' }, ...after] });
    run.open({ reason: 'ok', fields: {} });
    await settled();
    expect(house.open('child')).toBeUndefined();
    expect((await house.store.openIncidents()).map(({ subject }) => subject)).not.toContain('child');
  });
});

describe('a probe that is down', () => {
  const web = { name: 'web', recoverAfter: 2 };

  it('opens a new incident when it was paused, the daemon restarted, and it still fails', async () => {
    house.see('web', 'timeout');
    await house.start({ probes: [web] });
    await house.until(() => house.open('web'));
    await house.apply({ probes: [{ ...web, paused: true }] });
    expect(house.open('web')).toBeUndefined();
    await house.restart({ probes: [web] });
    await house.until(() => house.open('web'));
    await house.until(() => house.kinds().filter((kind) => kind === 'opened').length === 2);
  });

  it('reopens at its next confirmed failure when it was closed by hand, even after a restart', async () => {
    house.see('web', 'timeout');
    await house.start({ probes: [web] });
    await house.until(() => house.open('web'));
    const id = house.open('web')?.id as number;
    house.see('web', () => new Promise(() => undefined));
    await house.runtime.commands.resolve(id, 'ada', true);
    house.see('web', 'timeout');
    await house.restart({ probes: [web] });
    await house.until(() => house.open('web')?.id === id);
    await house.until(() => house.kinds().includes('reopened'));
  });

  it('is closed for whoever heard that it opened, even where only its own routing names them', async () => {
    house.see('web', 'timeout');
    const facts = {
      notifiers: ['ops', 'team'],
      routes: [
        { match: { group: ['apps'] }, notify: ['team'], continue: false },
        { match: {}, notify: ['ops'], continue: false },
      ],
    };
    await house.start({ ...facts, probes: [web] });
    await house.until(() => house.heard.length === 1);
    await house.apply({ ...facts, probes: [] });
    await house.until(() => house.heard.length === 2);
    expect(house.heard.map(({ notifier, alert }) => [notifier, alert.kind])).toEqual([
      ['team', 'opened'],
      ['team', 'closed'],
    ]);
  });
});

describe('an incident that is lowered before it ends', () => {
  it('is told as over to whoever was woken, though a warning would be routed elsewhere', async () => {
    const slow = { warn: [never] };
    const facts = {
      notifiers: ['pager', 'chat'],
      routes: [
        { match: { severity: ['critical' as const] }, notify: ['pager'], continue: false },
        { match: {}, notify: ['chat'], continue: false },
      ],
    };
    house.see('web', 'timeout');
    await house.start({ ...facts, probes: [{ name: 'web', ...slow }] });
    await house.until(() => house.open('web'));
    house.see('web', 'ok');
    await house.until(() => house.state('web') === 'degraded');
    await house.apply({ ...facts, probes: [{ name: 'web' }] });
    await house.until(() => house.kinds().includes('resolved'));
    expect(house.heard.map(({ notifier, alert }) => [notifier, alert.kind])).toEqual([
      ['pager', 'opened'],
      ['pager', 'progress'],
      ['pager', 'resolved'],
    ]);
  });
});

describe('a probe that is broken from its first run on', () => {
  it('opens a warning after fail_after runs, which a person can close until it is confirmed again', async () => {
    house.see('web', 'internal');
    await house.start({ probes: [{ name: 'web' }] });
    await house.until(() => house.open('web'));
    expect(house.open('web')).toMatchObject({ severity: 'warning', reason: 'internal' });
    await house.runtime.commands.resolve(house.open('web')?.id as number, 'ada', false);
    await house.until(() => house.open('web')?.reopened === 1);
  });
});

describe('a probe whose witness is away', () => {
  const away = { reason: 'timeout', fields: {}, error: 'the provider is silent', unknown: 'witness_away' } as const;

  it('opens a warning after fail_after runs, heals nothing, and is over when the witness says that all is well', async () => {
    house.see('web', () => away);
    await house.start({
      probes: [{ name: 'web', severity: 'critical', remediate: [{ rungs: [{ remediation: 'restart', tries: 1 }] }] }],
      remediations: [{ name: 'restart' }],
    });
    await house.until(() => house.open('web'));
    expect(house.open('web')).toMatchObject({
      severity: 'warning',
      reason: 'internal',
      cause: 'the provider is silent',
    });
    await settled();
    expect(house.acts).toEqual([]);
    house.see('web', 'ok');
    await house.until(() => house.kinds().includes('resolved'));
  });

  it('neither ends nor changes an incident that is open', async () => {
    house.see('web', 'auth');
    await house.start({ probes: [{ name: 'web' }] });
    await house.until(() => house.open('web'));
    const { id } = house.open('web') ?? {};
    house.see('web', () => away);
    await house.until(() => house.state('web') === 'unknown');
    expect(house.open('web')).toMatchObject({ id, reason: 'auth' });
  });
});

/** Long enough for everything that is under way to have ended. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 400));
}
