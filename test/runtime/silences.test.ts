/** What a silence keeps from people, and what they are owed when it ends. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Silence } from '../../src/model.ts';
import type { SilenceRequest } from '../../src/ports.ts';
import { gate, type HomeFacts, openRuntime, type RuntimeHouse } from './runtime-house.ts';

const MINUTE = 60_000;
const HOME: HomeFacts = { probes: [{ name: 'web', labels: { team: 'a' } }, { name: 'other' }] };

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

function silence(changes: Partial<SilenceRequest> = {}): Promise<Silence> {
  const endsAt = (changes.startsAt ?? house.clock.now()) + 30 * MINUTE;
  const asked = { matchers: ['probe=web'], author: 'ann', by: 'ann', comment: 'moving house', endsAt };
  return house.runtime.commands.silence({ ...asked, ...changes });
}

const kindsOf = (subject: string) =>
  house.heard.filter(({ alert }) => alert.incident?.subject === subject).map(({ alert }) => alert.kind);
const textOf = (kind: string) => house.heard.find(({ alert }) => alert.kind === kind)?.alert.text;
const story = async (id: number) => (await house.store.timeline(id)).map(({ kind }) => kind);

async function failSilently(): Promise<number> {
  await house.start(HOME);
  await house.until(() => house.state('web') === 'up' && house.state('other') === 'up');
  await silence();
  house.see('web', 'timeout');
  await house.until(() => house.open('web')?.withheld === 'opened');
  return house.open('web')?.id as number;
}

/** Long enough for whoever looks every second to have looked. */
const look = () => new Promise((resume) => setTimeout(resume, 2_500));

describe('while it lasts', () => {
  it('an incident opens and is shown as silenced, and nobody is told; others are told as ever', async () => {
    const id = await failSilently();
    const incident = house.open('web');
    expect(incident && house.runtime.views.silencedBy(incident)).toMatchObject({ comment: 'moving house' });
    house.see('other', 'timeout');
    await house.until(() => kindsOf('other').includes('opened'));
    await look();
    expect(kindsOf('web')).toEqual([]);
    expect(await house.store.notifications({ incidentId: id, limit: 9 })).toEqual([]);
    expect(await story(id)).toEqual(['opened', 'silenced']);
  });

  it('an incident that is resolved within it was never told, and neither is its end', async () => {
    const id = await failSilently();
    house.see('web', 'ok');
    await house.until(() => house.state('web') === 'up');
    house.clock.jump(31 * MINUTE);
    await look();
    expect(kindsOf('web')).toEqual([]);
    expect(await house.store.incident(id)).toMatchObject({ resolution: 'recovered', withheld: 'opened' });
  });

  it('who was told before hears the end, and no reminder', async () => {
    await house.start({ ...HOME, routes: [{ match: {}, notify: ['ear'], repeatMs: MINUTE, continue: false }] });
    await house.until(() => house.state('web') === 'up');
    house.see('web', 'timeout');
    await house.until(() => kindsOf('web').includes('opened'));
    await silence();
    house.clock.jump(5 * MINUTE);
    // Longer than reminders take to look.
    await new Promise((resume) => setTimeout(resume, 6_000));
    house.see('web', 'ok');
    await house.until(() => kindsOf('web').includes('resolved'));
    expect(kindsOf('web')).toEqual(['opened', 'resolved']);
  }, 30_000);

  it('healing goes on, and tells nobody', async () => {
    await house.start({
      probes: [{ name: 'web', remediate: [{ rungs: [{ remediation: 'restart', tries: 1 }] }] }],
      remediations: [{ name: 'restart' }],
    });
    await house.until(() => house.state('web') === 'up');
    await silence();
    house.see('web', 'timeout');
    house.act('restart', () => {
      house.see('web', 'ok');
      return { done: true };
    });
    await house.until(async () => (await house.attempts())[0]?.state === 'healed');
    expect(house.acts).toEqual(['restart']);
    await look();
    expect(house.heard).toEqual([]);
  });

  it('a page that is released from its hold is kept back, too', async () => {
    const act = gate<{ done: boolean }>();
    await house.start({
      probes: [{ name: 'web', pageAfterMs: 10 * MINUTE, remediate: [{ rungs: [{ remediation: 'fix', tries: 1 }] }] }],
      remediations: [{ name: 'fix', timeoutMs: 60 * MINUTE }],
    });
    await house.until(() => house.state('web') === 'up');
    await silence();
    house.see('web', 'timeout');
    house.act('fix', () => act.promise);
    await house.until(() => house.acts.length === 1);
    house.clock.jump(11 * MINUTE);
    await house.until(() => house.open('web')?.withheld === 'opened');
    expect(house.heard).toEqual([]);
    act.open({ done: false });
  });
});

describe('when it ends', () => {
  it('what is still open is told once, with since when', async () => {
    const id = await failSilently();
    house.clock.jump(31 * MINUTE);
    await house.until(() => kindsOf('web').includes('opened'));
    expect(textOf('opened')).toMatch(/^Web is down for 31m(\d+s)?, silenced until now: timeout$/);
    await look();
    expect(kindsOf('web')).toEqual(['opened']);
    expect(await story(id)).toEqual(['opened', 'silenced', 'silence_ended']);
    house.see('web', 'ok');
    await house.until(() => kindsOf('web').includes('resolved'));
    expect(kindsOf('web')).toEqual(['opened', 'resolved']);
  });

  it('by hand it is the same, at once, and both ends are in the audit log', async () => {
    await failSilently();
    const [current] = house.runtime.views.silences();
    const expired = await house.runtime.commands.expireSilence(current?.id as number, 'bob');
    expect(expired.expiredAt).toBeGreaterThan(0);
    await house.until(() => kindsOf('web').includes('opened'));
    expect(house.runtime.views.silences()).toEqual([]);
    const audit = await house.store.auditEntries({ limit: 9 });
    const subject = `silence ${current?.id}`;
    expect(audit.filter((entry) => entry.subject === subject)).toMatchObject([
      { action: 'expire', actor: 'bob' },
      { action: 'silence', actor: 'ann', detail: expect.stringContaining('probe="web" until ') },
    ]);
    const again = house.runtime.commands.expireSilence(current?.id as number, 'bob');
    await expect(again).rejects.toMatchObject({ name: 'ConflictError', code: 'silence_over' });
  });

  it('a restart has forgotten neither the silence nor what is owed', async () => {
    await failSilently();
    await house.restart(HOME);
    await house.until(() => house.looks('web') > 2);
    await look();
    expect(kindsOf('web')).toEqual([]);
    await house.stop();
    house.clock.jump(31 * MINUTE);
    await house.restart(HOME);
    await house.until(() => kindsOf('web').includes('opened'));
    await look();
    expect(kindsOf('web')).toEqual(['opened']);
  }, 30_000);

  it('another that still lasts goes on keeping it back', async () => {
    const id = await failSilently();
    await silence({ matchers: ['team=~"a|b"'], endsAt: house.clock.now() + 60 * MINUTE });
    house.clock.jump(31 * MINUTE);
    await look();
    expect(kindsOf('web')).toEqual([]);
    expect(await story(id)).toEqual(['opened', 'silenced']);
    house.clock.jump(30 * MINUTE);
    await house.until(() => kindsOf('web').includes('opened'));
  }, 30_000);
});

describe('a silence', () => {
  it('that is to come keeps nothing back before its time', async () => {
    await house.start(HOME);
    await house.until(() => house.state('web') === 'up');
    await silence({ startsAt: house.clock.now() + 10 * MINUTE });
    house.see('web', 'timeout');
    await house.until(() => kindsOf('web').includes('opened'));
  });

  it('may be about our own trouble', async () => {
    await house.start(HOME);
    await silence({ matchers: ['source=self'] });
    const problems = [{ location: { file: 'brainstem.yml', line: 1, column: 1 }, message: 'wrong' }];
    await house.runtime.reloadFailed({ ok: false, problems });
    const [own] = house.runtime.views.openIncidents();
    expect(own).toMatchObject({ source: 'self', withheld: 'opened' });
    house.clock.jump(31 * MINUTE);
    await house.until(() => house.heard.length === 1);
    expect(textOf('opened')).toMatch(/^Configuration for 31m(\d+s)?, silenced until now: the running configuration/);
  });

  it('is refused when it names what does not exist, never ends, is over or is too long', async () => {
    await house.start(HOME);
    const now = house.clock.now();
    for (const [changes, code, why] of [
      [{ matchers: ['prob=web'] }, 'matcher_invalid', 'did you mean "probe"?'],
      [{ matchers: [] }, 'matcher_invalid', 'no matcher'],
      [{ endsAt: now - 1 }, 'silence_empty', 'in the future'],
      [{ startsAt: now + 10, endsAt: now + 5 }, 'silence_empty', 'after it has begun'],
      [{ endsAt: now + 91 * 86_400_000 }, 'silence_too_long', '90d'],
    ] as const)
      await expect(silence(changes)).rejects.toMatchObject({
        ...{ name: 'UsageError', code, message: expect.stringContaining(why) },
      });
    expect(house.runtime.views.silences()).toEqual([]);
  });

  it('is refused when there are a hundred already, and one may expire first', async () => {
    await house.start(HOME);
    const many = await Promise.all(Array.from({ length: 100 }, () => silence()));
    await expect(silence()).rejects.toMatchObject({ name: 'ConflictError', code: 'too_many_silences' });
    await house.runtime.commands.expireSilence(many[0]?.id as number, 'ann');
    await silence();
  });
});
