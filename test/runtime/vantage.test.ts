import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openRuntime, type RuntimeHouse } from './runtime-house.ts';

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

/** What stands in a spec is the host that the probe reaches over the network. */
const far = (name: string) => ({ name, title: name, spec: `${name}.example` });
const seer = (name: string) => ({ ...far(name), failAfter: 1 });
const ladder = { remediate: [{ rungs: [{ remediation: 'restart', tries: 3 }] }] };
const targets = Array.from({ length: 20 }, (_, index) => far(`t${index}`));
const names = targets.map(({ name }) => name);
const healing = { vantage: ['north', 'south'] };

const about = (subject: string) =>
  house.heard.map(({ alert }) => alert).filter(({ incident }) => incident?.subject === subject);
const kindsAbout = (subject: string) => about(subject).map(({ kind }) => kind);
const isBlind = () => house.runtime.views.blindSince() !== undefined;
const verdictOf = (probe: string) => house.runtime.views.probe(probe)?.last?.verdict;
const allUp = () => [...names, 'north', 'south'].every((name) => house.state(name) === 'up');

function cut(): void {
  for (const name of [...names, 'north', 'south']) house.see(name, name === 't1' ? 'dns' : 'timeout');
}

function mend(): void {
  for (const name of [...names, 'north', 'south']) house.see(name, 'ok');
}

describe('while no vantage probe answers', () => {
  it('judges nothing over the network, and tells people once about the monitor', async () => {
    await house.start({ probes: [...targets, seer('north'), seer('south')], healing });
    await house.until(allUp);
    cut();
    await house.until(() => kindsAbout('blind').length > 0);
    await house.until(() => names.every((name) => verdictOf(name)?.unknown === 'blind'));
    const looks = house.looks('t0');
    await house.until(() => house.looks('t0') > looks + 5);
    expect(allUp()).toBe(true);
    expect(about('blind')[0]).toMatchObject({ kind: 'opened', severity: 'critical' });
    mend();
    await house.until(() => !isBlind());
    await house.until(() => names.every((name) => verdictOf(name)?.kind === 'pass'));
    await house.until(() => kindsAbout('blind').length > 1);
    expect(house.heard.map(({ alert }) => [alert.incident?.subject, alert.kind])).toEqual([
      ['blind', 'opened'],
      ['blind', 'resolved'],
    ]);
    expect(await house.store.incidents({ limit: 100 })).toMatchObject([{ source: 'self', subject: 'blind' }]);
  });

  it('heals nothing, not even what is down for another reason', async () => {
    const near = { name: 'near', title: 'near', ...ladder };
    const facts = {
      probes: [near, ...targets, seer('north')],
      remediations: [{ name: 'restart' }],
      healing: { vantage: ['north'] },
    };
    await house.start(facts);
    await house.until(() => house.state('near') === 'up' && house.state('north') === 'up');
    cut();
    await house.until(isBlind);
    house.see('near', 'exit_code');
    await house.until(async () => (await house.attempts()).some(({ refusal }) => refusal === 'blind'));
    expect(house.acts).toEqual([]);
    house.act('restart', () => {
      house.see('near', 'ok');
      return { done: true };
    });
    mend();
    await house.until(() => house.state('near') === 'up');
    expect(house.acts).toEqual(['restart']);
  });

  it('does not start a fix that was about to begin, and fails none that is being verified', async () => {
    const web = { ...far('web'), ...ladder };
    await house.start({
      probes: [web, seer('north')],
      remediations: [{ name: 'restart', verifyWithinMs: 1_000 }],
      healing: { vantage: ['north'] },
    });
    await house.until(() => house.state('web') === 'up' && house.state('north') === 'up');
    house.see('web', 'http_status');
    house.act('restart', () => {
      house.see('web', 'timeout');
      house.see('north', 'timeout');
      return { done: true };
    });
    await house.until(isBlind);
    const looks = house.looks('web');
    house.clock.advance(60_000);
    await house.until(() => house.looks('web') > looks + 3);
    expect((await house.attempts()).map(({ state }) => state)).toEqual(['verifying']);
    house.see('web', 'ok');
    house.see('north', 'ok');
    await house.until(async () => (await house.attempts())[0]?.state === 'healed');
    expect(house.acts).toEqual(['restart']);
  });
});

describe('a verification that waits out blindness', () => {
  const web = { ...far('web'), ...ladder };
  const isFree = async (resource: string) =>
    (await house.store.acquireLock(resource, 'a test', house.clock.now(), 0)) !== undefined;

  it('keeps its locks for as long as that takes, and frees them at its end', async () => {
    await house.start({
      probes: [web, seer('north')],
      remediations: [{ name: 'restart', verifyWithinMs: 1_000, spec: { also: ['thing:db'] } }],
      healing: { vantage: ['north'] },
    });
    await house.until(() => house.state('web') === 'up' && house.state('north') === 'up');
    house.see('web', 'http_status');
    house.act('restart', () => {
      house.see('web', 'timeout');
      house.see('north', 'timeout');
      return { done: true };
    });
    await house.until(isBlind);
    // Far longer than the fix was planned to take, and once more.
    const renewed = vi.spyOn(house.store, 'renewLock');
    for (let hour = 0; hour < 2; hour += 1) {
      renewed.mockClear();
      house.clock.advance(3_600_000);
      // Asked afterwards: whoever asks takes what has expired.
      await house.until(() =>
        ['deed:restart', 'thing:db'].every((lock) => renewed.mock.calls.some(([it]) => it === lock)),
      );
      await Promise.all(renewed.mock.results.map(({ value }) => value as Promise<boolean>));
      expect([await isFree('deed:restart'), await isFree('thing:db')]).toEqual([false, false]);
    }
    house.see('web', 'ok');
    house.see('north', 'ok');
    await house.until(async () => (await house.attempts())[0]?.state === 'healed');
    await house.until(() => isFree('thing:db'));
    expect(await isFree('deed:restart')).toBe(true);
  });
});

describe('while a vantage probe answers', () => {
  it('believes a failure of the network', async () => {
    await house.start({ probes: [far('web'), seer('north'), seer('south')], healing });
    await house.until(() => house.state('web') === 'up');
    house.see('north', 'timeout');
    house.see('web', 'timeout');
    await house.until(() => house.state('web') === 'down' && house.state('north') === 'down');
    expect(isBlind()).toBe(false);
  });

  it('asks it once for all that fail together', async () => {
    await house.start({
      probes: [...targets, { ...seer('north'), schedule: { kind: 'interval', everyMs: 3_600_000 } }],
      healing: { vantage: ['north'] },
    });
    await house.until(() => names.every((name) => house.state(name) === 'up') && house.state('north') === 'up');
    const before = house.looks('north');
    for (const name of names) house.see(name, 'timeout');
    await house.until(() => names.every((name) => house.state(name) === 'down'));
    const failing = names.reduce((sum, name) => sum + house.looks(name), 0);
    expect(house.looks('north') - before).toBeLessThan(failing / 2);
  });
});

describe('what is no doubt', () => {
  it.each([
    ['an answer', 'web.example', 'connect_refused'],
    ['this machine', '127.0.0.1', 'timeout'],
    ['what needs no network', undefined, 'timeout'],
  ] as const)('%s is judged as ever', async (_, spec, reason) => {
    await house.start({
      probes: [{ name: 'web', title: 'web', ...(spec !== undefined && { spec }) }, seer('north')],
      healing: { vantage: ['north'] },
    });
    await house.until(() => house.state('web') === 'up');
    house.see('north', 'timeout');
    house.see('web', reason);
    await house.until(() => house.state('web') === 'down');
  });

  it('without vantage probes everything is believed', async () => {
    await house.start({ probes: targets });
    await house.until(() => names.every((name) => house.state(name) === 'up'));
    cut();
    await house.until(() => names.every((name) => house.state(name) === 'down'));
  });

  it('a reload that names none any more ends the blindness', async () => {
    const probes = [far('web'), seer('north')];
    await house.start({ probes, healing: { vantage: ['north'] } });
    await house.until(() => house.state('web') === 'up' && house.state('north') === 'up');
    house.see('north', 'timeout');
    await house.until(isBlind);
    await house.apply({ probes });
    expect(isBlind()).toBe(false);
    await house.until(() => house.state('north') === 'down');
  });
});
