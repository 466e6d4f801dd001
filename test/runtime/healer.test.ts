/** Healing on a real store: what runs, what does not, and what people hear of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ActionInput, ActionOutput } from '../../src/ports.ts';
import { gate, type HomeFacts, openRuntime, type RuntimeHouse } from './runtime-house.ts';

let house: RuntimeHouse;
beforeEach(async () => {
  house = await openRuntime();
});
afterEach(() => house.close());

const WEB = { name: 'web', remediate: [{ rungs: [{ remediation: 'restart', tries: 1 }] }] };

function homeOf(changes: Partial<HomeFacts> = {}): HomeFacts {
  return { probes: [WEB], remediations: [{ name: 'restart' }], ...changes };
}

async function outcomes(): Promise<string[]> {
  return (await house.attempts()).map(({ state, refusal }) => refusal ?? state).reverse();
}

/** The act brings the target back. */
function mends(): void {
  house.act('restart', () => {
    house.see('web', 'ok');
    return { done: true };
  });
}

/** An act that lasts until its deadline, or the end of the daemon. */
function untilAborted(_input: ActionInput, signal: AbortSignal): Promise<ActionOutput> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve({ done: false, error: 'aborted' })));
}

describe('a fix', () => {
  it('that the probe confirms is healed, and a page that was held for it is one quiet note', async () => {
    mends();
    house.see('web', 'timeout');
    await house.start(homeOf({ probes: [{ ...WEB, pageAfterMs: 60_000 }] }));
    await house.until(() => house.heard.length > 0);
    expect(house.kinds()).toEqual(['healed_itself']);
    expect(house.heard[0]?.alert).toMatchObject({ severity: 'info', incident: { healedBy: 'restart' } });
    await house.until(async () => (await outcomes())[0] === 'healed');
  });

  it('is known as what healed it also when the first pass after settling is enough', async () => {
    mends();
    house.see('web', 'timeout');
    await house.start(homeOf({ probes: [{ ...WEB, pageAfterMs: 60_000, recoverAfter: 1, schedule: EVERY_TICK }] }));
    await house.until(() => house.heard.length > 0);
    expect(house.heard[0]?.alert).toMatchObject({ kind: 'healed_itself', incident: { healedBy: 'restart' } });
  });

  it('is not proven by a probe that breaks while it is verified', async () => {
    house.act('restart', () => {
      house.see('web', 'internal');
      return { done: true };
    });
    house.see('web', 'timeout');
    await house.start(homeOf({ remediations: [{ name: 'restart', verifyWithinMs: 2_000 }] }));
    await house.until(() => house.state('web') === 'unknown');
    await house.until(async () => ['failed', 'healed'].includes((await outcomes())[0] ?? ''));
    expect(await outcomes()).toEqual(['failed']);
  });

  it('that only observed is looked at again when a reload lets it act', async () => {
    mends();
    house.see('web', 'timeout');
    await house.start(homeOf({ remediations: [{ name: 'restart', mode: 'observe' }] }));
    await house.until(() => house.open('web')?.exhausted);
    expect(house.acts).toEqual([]);
    await house.apply(homeOf());
    await house.until(() => house.state('web') === 'up');
    expect(await outcomes()).toEqual(['observe', 'healed']);
  });

  it('is not run when the probe passes as it is asked again', async () => {
    house.see('web', 'timeout');
    const capturing = gate<ActionOutput>();
    house.act('restart', () => capturing.promise);
    const evidence = [{ type: 'deed', spec: {} }];
    await house.start(
      homeOf({ probes: [{ ...WEB, schedule: HOURLY, failAfter: 1 }], remediations: [{ name: 'restart', evidence }] }),
    );
    await house.until(() => house.acts.length === 1);
    house.see('web', 'ok');
    capturing.open({ done: true, output: 'the last words' });
    await house.until(async () => (await outcomes()).includes('recovered'));
    expect(house.acts).toHaveLength(1);
  });

  it.each(['acknowledge', 'freeze'] as const)(
    'is not run after a person’s %s while evidence is captured',
    async (hand) => {
      house.see('web', 'timeout');
      const capturing = gate<ActionOutput>();
      house.act('restart', () => capturing.promise);
      const evidence = [{ type: 'deed', spec: {} }];
      await house.start(homeOf({ remediations: [{ name: 'restart', evidence }] }));
      await house.until(() => house.acts.length === 1);
      const id = house.open('web')?.id as number;
      const { commands } = house.runtime;
      if (hand === 'acknowledge') await commands.acknowledge(id, 'ada');
      if (hand === 'freeze') await commands.freeze('ada', 'a deploy');
      house.see('web', 'ok');
      house.see('web', 'timeout');
      capturing.open({ done: true });
      await house.until(async () => (await house.attempts()).at(-1)?.state === 'refused');
      expect((await house.attempts()).at(-1)?.startedAt).toBeUndefined();
    },
  );

  it('whose incident a person closed while it was verified is proven by passes alone', async () => {
    house.see('web', 'timeout');
    await house.start(homeOf());
    await house.until(async () => (await outcomes())[0] === 'verifying');
    await house.runtime.commands.resolve(house.open('web')?.id as number, 'ada', true);
    house.see('web', 'ok');
    await house.until(async () => (await outcomes())[0] === 'healed');
  });

  it('whose probe is removed or paused runs to its end, which is then unknown', async () => {
    house.see('web', 'timeout');
    const acting = gate<ActionOutput>();
    house.act('restart', () => acting.promise);
    await house.start(homeOf());
    await house.until(() => house.acts.length === 1);
    await house.apply(homeOf({ probes: [{ ...WEB, paused: true }] }));
    acting.open({ done: true });
    await house.until(async () => (await outcomes())[0] === 'unknown');
    expect(house.state('web')).toBe('paused');
    expect(house.open('web')).toBeUndefined();
  });
});

describe('the incident of a probe that fails for another reason by now', () => {
  const seeing = (reason: 'timeout' | 'http_status', error: string) =>
    house.see('web', () => ({ reason, fields: {}, error }));
  const story = async () => house.store.timeline(house.open('web')?.id as number);

  it('says so when that is confirmed, once, and nobody is told', async () => {
    seeing('timeout', 'no answer');
    await house.start({ probes: [WEB] });
    await house.until(() => house.kinds().includes('opened'));
    seeing('http_status', 'status 503');
    await house.until(() => house.open('web')?.reason === 'http_status');
    expect(house.open('web')?.cause).toBe('status 503');
    const looks = house.looks('web');
    await house.until(() => house.looks('web') > looks + 5);
    expect((await story()).filter(({ kind }) => kind === 'reason_changed').map(({ text }) => text)).toEqual([
      'status 503 (http_status; before: timeout)',
    ]);
    expect(house.kinds()).toEqual(['opened']);
  });

  it('stays as it is while the reason comes and goes', async () => {
    seeing('timeout', 'no answer');
    await house.start({ probes: [WEB] });
    await house.until(() => house.open('web'));
    let turn = 0;
    house.see('web', () => {
      turn += 1;
      return { reason: turn % 2 === 0 ? 'timeout' : 'http_status', fields: {} };
    });
    await house.until(() => turn > 10);
    expect(house.open('web')?.reason).toBe('timeout');
  });

  it('calls for help with what is so now, and does not say that it got worse', async () => {
    seeing('timeout', 'no answer');
    house.act('restart', () => {
      seeing('http_status', 'status 503');
      return { done: true };
    });
    // Confirmed so slowly that the ladder is at its end before.
    const slow = { ...WEB, title: 'Web', schedule: EVERY_TICK, failAfter: 30 };
    await house.start(homeOf({ probes: [slow], remediations: [{ name: 'restart', verifyWithinMs: 500 }] }));
    await house.until(() => house.kinds().includes('escalated'));
    const alert = house.heard.find((each) => each.alert.kind === 'escalated')?.alert;
    expect(alert?.text).toBe('Web is still down: status 503; everything on its ladder was tried');
    expect(alert?.incident).toMatchObject({ reason: 'http_status', exhausted: true });
  });
});

describe('a stop of the daemon', () => {
  it('leaves a verification to the next start, which asks the probe although the time for that is over', async () => {
    house.see('web', 'timeout');
    const facts = homeOf({ remediations: [{ name: 'restart', settleMs: 60_000, verifyWithinMs: 60_000 }] });
    await house.start(facts);
    await house.until(async () => (await outcomes())[0] === 'settling');
    const before = performance.now();
    await house.stop();
    expect(performance.now() - before).toBeLessThan(5_000);
    house.clock.advance(600_000);
    house.see('web', 'ok');
    await house.restart(facts);
    await house.until(async () => (await outcomes())[0] === 'healed');
    expect(house.acts).toHaveLength(1);
    await house.until(() => house.open('web') === undefined);
  });

  it('lets an act that has begun end, and begins none', async () => {
    house.see('web', 'timeout');
    const acting = gate<ActionOutput>();
    house.act('restart', () => acting.promise);
    await house.start(homeOf());
    await house.until(() => house.acts.length === 1);
    const stopping = house.stop();
    const late = await house.runtime.commands.remediate({
      remediation: 'restart',
      probe: 'web',
      by: 'ada',
      dryRun: false,
    });
    expect(late.plan).toMatchObject({ go: false });
    acting.open({ done: true });
    await stopping;
    expect(await outcomes()).toEqual(['settling']);
    expect(house.logged.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('a fix by hand', () => {
  it('with a name that is not there is refused at once, with the nearest one or all', async () => {
    await house.start(homeOf());
    const { commands } = house.runtime;
    const request = { remediation: 'restart', probe: 'web', by: 'ada', dryRun: false };
    for (const [work, message] of [
      [commands.remediate({ ...request, remediation: 'restrat' }), '"restrat" (did you mean "restart"?)'],
      [commands.remediate({ ...request, probe: 'bew' }), 'no probe is called "bew"'],
      [commands.remediate({ ...request, probe: 'wbe' }), '"wbe" (did you mean "web"?)'],
      [commands.arm('restat', 'ada'), '"restat" (did you mean "restart"?)'],
      [commands.arm('x'.repeat(30), 'ada'), '; there are: restart'],
    ] as const)
      await expect(work).rejects.toMatchObject({ name: 'NotFoundError', message: expect.stringContaining(message) });
  });

  it('answers, counts and logs a named no, and proves a fix of a probe that is up by its passes', async () => {
    await house.start(homeOf());
    await house.until(() => house.state('web') === 'up');
    const request = { remediation: 'restart', probe: 'web', by: 'ada', dryRun: false };
    const { commands } = house.runtime;
    await commands.freeze('ada', 'a deploy');
    expect((await commands.remediate(request)).plan).toMatchObject({ go: false, refusal: 'frozen' });
    expect(house.metered).toContainEqual({ name: 'refused', values: ['restart', 'frozen'] });
    await commands.unfreeze('ada');
    expect((await commands.remediate({ ...request, dryRun: true })).plan).toEqual({ go: true });
    expect(house.acts).toEqual([]);
    const { attempt } = await commands.remediate(request);
    expect(attempt).toMatchObject({ state: 'healed', requestedBy: 'ada' });
    expect(house.acts).toEqual(['restart']);
  });
});

describe('the page', () => {
  it('is not held longer because the clock was set back', async () => {
    house.see('web', 'timeout');
    house.act('restart', untilAborted);
    await house.start(
      homeOf({ probes: [{ ...WEB, pageAfterMs: 60_000 }], remediations: [{ name: 'restart', cooldownMs: 0 }] }),
    );
    await house.until(() => house.open('web')?.holdUntil);
    expect(house.heard).toEqual([]);
    house.clock.jump(-7_200_000);
    await house.until(() => house.kinds().includes('opened'));
  });

  it('goes out once, though its time is over just as the ladder is', async () => {
    house.see('web', 'timeout');
    house.act('restart', () => {
      house.clock.advance(60_001);
      return { done: false, error: 'no' };
    });
    await house.start(homeOf({ probes: [{ ...WEB, pageAfterMs: 60_000 }] }));
    await house.until(() => house.open('web')?.exhausted);
    await house.until(() => house.kinds().includes('opened'));
    // One event; the clock that was set forward may make a slow delivery seem lost, and repeat it.
    const opened = house.heard.filter(({ alert }) => alert.kind === 'opened');
    expect(new Set(opened.map(({ alert }) => alert.eventId)).size).toBe(1);
  });

  it('that is held tells whoever would have been woken that somebody is on it, and when it is over', async () => {
    house.see('web', 'timeout');
    house.act('restart', untilAborted);
    await house.start(homeOf({ probes: [{ ...WEB, pageAfterMs: 60_000 }] }));
    await house.until(() => house.acts.length === 1);
    await house.runtime.commands.acknowledge(house.open('web')?.id as number, 'ada');
    expect(house.open('web')).toMatchObject({ paged: true, acknowledgedBy: 'ada' });
    await house.until(() => house.kinds().includes('progress'));
  });
});

const HOURLY = { kind: 'interval', everyMs: 3_600_000 } as const;
const EVERY_TICK = { kind: 'interval', everyMs: 50 } as const;
