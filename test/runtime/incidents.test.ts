/** Incidents of probes that stand on one another, of our own trouble, and what people are reminded of. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Condition } from '../../src/model.ts';
import { type HomeFacts, openRuntime, type RuntimeHouse } from './runtime-house.ts';

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

const NEVER: Condition = {
  ...{ source: 'false', location: { file: 'probes/test.yaml', line: 1, column: 1 }, paths: [], windows: [] },
  evaluate: () => ({ outcome: 'false', detail: '' }),
};

function heardOf(subject: string): string[] {
  return house.heard.filter(({ alert }) => alert.incident?.subject === subject).map(({ alert }) => alert.kind);
}

describe('a child of a root that is down', () => {
  const FAMILY: HomeFacts = { probes: [{ name: 'root' }, { name: 'child', dependsOn: ['root'], warn: [NEVER] }] };

  async function fall(): Promise<void> {
    house.see('root', 'timeout');
    house.see('child', 'timeout');
    await house.start(FAMILY);
    await house.until(() => house.open('child')?.parentId === house.open('root')?.id && house.open('root'));
  }

  it('pages once its root is up and it still fails', async () => {
    await fall();
    expect(heardOf('child')).toEqual([]);
    house.see('root', 'ok');
    await house.until(() => heardOf('child').includes('opened'));
    expect(house.open('child')?.parentId).toBeUndefined();
    expect(heardOf('child')).toEqual(['opened']);
  });

  it('warns once its root is up and it is still degraded', async () => {
    await fall();
    house.see('child', 'ok');
    await house.until(() => house.state('child') === 'degraded');
    expect(heardOf('child')).toEqual([]);
    house.see('root', 'ok');
    await house.until(() => heardOf('child').includes('opened'));
    expect(house.open('child')).toMatchObject({ severity: 'warning', degraded: true, paged: true });
  });

  it('that is acknowledged tells nobody who never heard of it', async () => {
    await fall();
    await house.runtime.commands.acknowledge(house.open('child')?.id as number, 'ada');
    await house.until(() => house.open('child')?.acknowledgedBy === 'ada');
    await house.runtime.commands.acknowledge(house.open('root')?.id as number, 'ada');
    await house.until(() => heardOf('root').includes('progress'));
    expect(heardOf('child')).toEqual([]);
  });
});

describe('our own trouble', () => {
  it('is over for a notifier that is not configured any more', async () => {
    const notifiers = ['ear', 'pager'];
    const now = house.clock.now();
    await house.store.insertIncident({
      ...{ source: 'self', subject: 'notifier:pager', title: 'Notifier pager', severity: 'warning' },
      ...{ reason: 'internal', cause: 'pager does not take alerts', openedAt: now, activeAt: now },
      ...{ paged: true, degraded: true, reopened: 0, exhausted: true },
    });
    await house.start({ notifiers, probes: [] });
    const own = () => house.runtime.views.openIncidents().filter(({ source }) => source === 'self');
    expect(own()).toHaveLength(1);
    await house.apply({ probes: [] });
    await house.until(() => own().length === 0);
  });
});

describe('a reminder', () => {
  const REPEATING: HomeFacts = {
    probes: [{ name: 'web' }],
    routes: [{ match: {}, notify: ['ear'], repeatMs: 3_600_000, continue: false }],
  };

  it('comes after the time of its route, also after a restart, and never once it is acknowledged', async () => {
    house.see('web', 'timeout');
    await house.start(REPEATING);
    await house.until(() => heardOf('web').length === 1);
    house.clock.advance(3_600_001);
    await house.restart(REPEATING);
    await house.until(() => heardOf('web').includes('reminder'));
    await house.runtime.commands.acknowledge(house.open('web')?.id as number, 'ada');
    house.clock.advance(3_600_001);
    await new Promise((resolve) => setTimeout(resolve, 6_000));
    expect(heardOf('web')).toEqual(['opened', 'reminder', 'progress']);
  });
});
