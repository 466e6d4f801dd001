import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createHome, type Home, startDaemon, until } from '../estate/daemon.ts';
import { probe, probesFile } from '../estate/definitions.ts';
import { type FakeSlack, startFakeSlack } from '../estate/fake-slack.ts';
import { type Receiver, startReceiver } from '../estate/receiver.ts';
import { incidentsOf, type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';
import { startTargets, type Targets } from '../estate/targets.ts';

/** Moves the wall clock of the daemon alone; its intervals run on. */
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function later<Part extends { close(): Promise<unknown> }>(part: Part): Part {
  cleanups.push(() => part.close());
  return part;
}

describe.skipIf(!existsSync(FAKETIME))('a notifier that is down for ten minutes', () => {
  it('gets everything in order afterwards; what is over by then says so, and both are on record', async () => {
    const scene: Scene = later(
      await setScene((targets) => ({
        'probes/all.yaml': probesFile(probe(targets, 'brief'), probe(targets, 'lasting')),
      })),
    );
    const { targets, alerts } = scene;
    const clock = join(scene.home.path, 'clock');
    await writeFile(clock, '+0s\n');
    const daemon = await scene.start({
      environment: {
        ...{ LD_PRELOAD: FAKETIME, FAKETIME_TIMESTAMP_FILE: clock },
        ...{ FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
      },
    });
    for (const name of ['brief', 'lasting']) await untilState(daemon, name, 'up');

    alerts.receiver.fail({ kind: 'status', status: 503 });
    targets.set('brief', 'broken');
    await untilIncident(daemon, 'brief', 'open');
    targets.set('lasting', 'broken');
    await untilIncident(daemon, 'lasting', 'open');
    targets.set('brief', 'ok');
    await untilIncident(daemon, 'brief', 'over', ({ resolved_at }) => resolved_at !== undefined);
    await until(() => alerts.receiver.requests().length > 1, { what: 'a second try' });
    await writeFile(clock, '+600s\n');
    expect(alerts.of()).toEqual([]);
    alerts.receiver.fail(undefined);

    await until(() => alerts.of().length === 3, { what: 'what was kept', withinMs: 90_000 });
    expect(alerts.of().map(({ kind, incident }) => [incident?.subject, kind])).toEqual([
      ['brief', 'opened'],
      ['lasting', 'opened'],
      ['brief', 'resolved'],
    ]);
    const [stale = '', standing = '', over = ''] = alerts.of().map(({ text }) => text);
    expect(stale).toMatch(/delayed, happened 1\dm.* ago; resolved since, 1\dm.* ago\)$/);
    expect(standing).toMatch(/delayed, happened 1\dm/);
    expect(standing).not.toContain('resolved since');
    expect(over).toMatch(/is up again .*delayed, happened 1\dm/);
    expect(await incidentsOf(daemon, 'brief')).toMatchObject([{ resolution: 'recovered' }]);
    expect(await incidentsOf(daemon, 'lasting')).toHaveLength(1);
    expect(alerts.of()).toHaveLength(3);
  }, 150_000);
});

const COUNT = 500;
const MINUTE = 60_000;

describe('five hundred targets that fail together', () => {
  it('take five messages a channel and minute at most, and each is named', async () => {
    const { targets, slack, bus, home } = await mass();
    const token = ['xoxb', 'mass', 'token'].join('-');
    const environment = { BUS_URL: bus.url, SLACK_URL: slack.url, SLACK_TOKEN: token };
    const daemon = await startDaemon({ home, environment });
    cleanups.push(() => daemon.kill());
    const names = Array.from({ length: COUNT }, (_, index) => `target-${index}`);
    const counts = async () => (await daemon.api<{ counts: Record<string, number> }>('status')).counts;
    await until(async () => (await counts())['up'] === COUNT, { what: 'all to be up', withinMs: 60_000 });

    const brokenAt = Date.now();
    for (const name of names) targets.set(name, 'broken');
    const told = () =>
      new Set(
        bus
          .deliveries()
          .flatMap(({ body }) => [body.incident?.subject, ...body.digest.map(({ title }) => title)])
          .filter((name) => name !== undefined),
      );
    await until(() => told().size === COUNT, { what: 'all to be named', withinMs: 180_000 });
    expect([...told()].toSorted()).toEqual(names.toSorted());
    const onSlackToo = () => new Set(JSON.stringify(slack.calls()).match(/target-\d+/g));
    await until(() => onSlackToo().size === COUNT, { what: 'all on Slack', withinMs: 90_000 });

    const onBus = bus.deliveries().map(({ at }) => at);
    const onSlack = slack
      .calls()
      .flatMap(({ at, method, arguments: { thread_ts } }) =>
        method === 'chat.postMessage' && thread_ts === undefined ? [at] : [],
      );
    console.log(`${COUNT} failed: ${onBus.length} and ${onSlack.length} messages, in ${Date.now() - brokenAt} ms`);
    for (const times of [onBus, onSlack]) {
      for (const from of times) {
        // What the daemon counts as a minute ends when a message was accepted, and begins so.
        expect(times.filter((at) => at >= from && at < from + MINUTE - 1_000).length).toBeLessThanOrEqual(5);
      }
    }
  }, 300_000);

  async function mass(): Promise<{ targets: Targets; slack: FakeSlack; bus: Receiver; home: Home }> {
    const targets = later(await startTargets());
    const slack = later(await startFakeSlack());
    const bus = later(await startReceiver());
    const probes = Array.from(
      { length: COUNT },
      (_, index) => `  - { name: target-${index}, http: { url: "${targets.url(`target-${index}`)}" } }\n`,
    );
    const home = await createHome({
      'brainstem.yml': `http: { listen: "\${LISTEN}" }
notifiers:
  bus: { webhook: { url: "\${BUS_URL}" } }
  oncall: { slack: { token: "\${SLACK_TOKEN}", channel: ops, api_url: "\${SLACK_URL}" } }
`,
      'probes/all.yaml': `defaults: { every: 3s, timeout: 3s, fail_after: 1, recover_after: 1 }\nprobes:\n${probes.join('')}`,
    });
    cleanups.push(() => home.remove());
    return { targets, slack, bus, home };
  }
});
