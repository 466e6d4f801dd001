/** What an attempt locks besides its own resource, and what its act tells people. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ActionOutput } from '../../src/ports.ts';
import { gate, type HomeFacts, openRuntime, type RuntimeHouse } from './runtime-house.ts';

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

const ladder = (remediation: string) => [{ rungs: [{ remediation, tries: 1 }] }];

/** `restart` acts on two things; `repair` acts on one of them. */
const TWO: HomeFacts = {
  probes: [
    { name: 'web', remediate: ladder('restart') },
    { name: 'db', remediate: ladder('repair') },
  ],
  remediations: [
    { name: 'restart', spec: { also: ['thing:db', 'thing:cache'] } },
    { name: 'repair', resource: 'thing:db' },
  ],
};

const held = (resource: string) => house.store.acquireLock(resource, 'a test', house.clock.now(), 0);
const isFree = async (resource: string) => (await held(resource)) !== undefined;

it('keeps every other fix off what it acts on, until it is over', async () => {
  const acting = gate<ActionOutput>();
  house.act('restart', () => acting.promise);
  house.see('web', 'timeout');
  await house.start(TWO);
  await house.until(() => house.acts.length === 1);
  house.see('db', 'timeout');
  await house.until(() => house.metered.some(({ name, values }) => name === 'refused' && values[1] === 'locked'));
  expect(house.acts).toEqual(['restart']);
  expect(await isFree('thing:cache')).toBe(false);
  house.see('web', 'ok');
  acting.open({ done: true });
  await house.until(() => house.acts.includes('repair'));
  await house.until(() => isFree('thing:cache'));
});

it('takes none of its locks while somebody else has one', async () => {
  const acting = gate<ActionOutput>();
  house.act('repair', () => acting.promise);
  house.see('db', 'timeout');
  await house.start(TWO);
  await house.until(() => house.acts.length === 1);
  house.see('web', 'timeout');
  await house.until(() => house.metered.some(({ name, values }) => name === 'refused' && values[1] === 'locked'));
  expect(house.acts).toEqual(['repair']);
  expect(await isFree('deed:restart')).toBe(true);
  house.see('db', 'ok');
  acting.open({ done: true });
  await house.until(() => house.acts.includes('restart'));
});

it('leaves them held when the daemon stops in the middle: nothing else may act before it was verified', async () => {
  house.act('restart', (_input, signal) => {
    const { promise, open } = gate<ActionOutput>();
    signal.addEventListener('abort', () => open({ done: false, error: 'aborted' }));
    return promise;
  });
  house.see('web', 'timeout');
  await house.start(TWO);
  await house.until(() => house.acts.length === 1);
  await house.stop();
  expect(await isFree('thing:db')).toBe(false);
});

it('locks only what the remediation says, where it says so', async () => {
  const acting = gate<ActionOutput>();
  house.act('restart', () => acting.promise);
  house.see('web', 'timeout');
  await house.start({
    probes: [{ name: 'web', remediate: ladder('restart') }],
    remediations: [{ name: 'restart', resource: 'mine', spec: { also: ['thing:db'] } }],
  });
  await house.until(() => house.acts.length === 1);
  expect(await isFree('mine')).toBe(false);
  expect(await isFree('thing:db')).toBe(true);
  acting.open({ done: true });
});

it('does not take for a person’s hand what it did itself to one of them', async () => {
  house.act('restart', () => {
    house.see('web', 'ok');
    const stopped = { certain: true, at: house.clock.now(), what: 'docker stop of db' };
    house.see('db', () => ({ reason: 'stopped', fields: {}, intervention: stopped }));
    return { done: true };
  });
  house.see('web', 'timeout');
  await house.start({ ...TWO, healing: { mode: 'auto' } });
  await house.until(() => house.acts.includes('repair'));
});

it('tells people who were paged what the act has to say', async () => {
  house.act('restart', async ({ tell }) => {
    await tell('half of it is done');
    return { done: true };
  });
  house.see('web', 'timeout');
  await house.start({ probes: [{ name: 'web', remediate: ladder('restart') }], remediations: [{ name: 'restart' }] });
  await house.until(() => house.heard.some(({ alert }) => alert.text.includes('half of it is done')));
  const id = house.open('web')?.id as number;
  expect((await house.store.timeline(id)).map(({ kind }) => kind)).toContain('attempt_told');
});

it('says in a dry run what the act would be', async () => {
  await house.start({
    probes: [{ name: 'web' }],
    remediations: [{ name: 'restart' }, { name: 'unset', unset: ['X'] }],
  });
  const ask = (remediation: string) =>
    house.runtime.commands.remediate({ remediation, probe: 'web', by: 'ada', dryRun: true });
  expect((await ask('restart')).would).toBe('run restart (deed) on deed:restart for web: do it');
  expect((await ask('unset')).would).toBe('run unset (deed) on nothing for web');
  expect(house.acts).toEqual([]);
});
