/** Several probes as one, and one definition for several, through the whole daemon, its API, its page and its command line. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { brainstem } from '../estate/program.ts';
import { QUICK_PROBE } from '../estate/quick.ts';
import { incidentsOf, metricOf, probeOf, type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';

let scene: Scene;
let daemon: Daemon;
afterEach(() => scene?.close());

/** Its own pace would never show that it is woken. */
const GROUP = 'group: { probes: [shop], quorum: 2, shown_in: fleet }, every: 10m, relapse: 0s';
const definitions = (items: string) => `
probes:
  - { name: shop, http: { url: "\${BASE}/{{item}}" }, ${QUICK_PROBE}, each: [${items}] }
  - { name: shops, ${GROUP} }
  - { name: disk, exec: { argv: [test, -d, "{{item}}"] }, each: [/, /tmp] }
`;

const base = () => scene.targets.url('').replace(/\/$/, '');

describe('one definition for several probes, and a group of them', { timeout: 60_000 }, () => {
  async function open(items = 'a, b, c') {
    scene = await setScene(() => ({ 'probes/shops.yaml': definitions(items) }));
    daemon = await scene.start({ environment: { BASE: base() } });
    await untilState(daemon, 'shops', 'up');
  }

  it('have a state, an incident and metrics each, and the group holds until too few are up', async () => {
    await open();
    scene.targets.set('a', 'broken');
    await untilIncident(daemon, 'shop[a]', 'open');
    expect(await probeOf(daemon, 'shops')).toMatchObject({ type: 'group', group: 'fleet', state: 'up' });
    expect(await metricOf(daemon, 'brainstem_probe_state{probe="shop[a]",state="down"}')).toBe(1);
    expect(await metricOf(daemon, 'brainstem_probe_state{probe="shop[b]",state="up"}')).toBe(1);

    scene.targets.set('b', 'broken');
    const story = await untilIncident(daemon, 'shops', 'open');
    expect(story.cause).toBe('1 of 3 up, 2 wanted; down: shop[a], shop[b]');

    scene.targets.set('a', 'ok');
    await untilState(daemon, 'shops', 'up');
    const [over] = await incidentsOf(daemon, 'shops');
    expect(over).toMatchObject({ resolution: 'recovered' });
  });

  it('are not known as a whole while too many cannot tell', async () => {
    const told = (job: string) => ({ [`exit-${job}`]: '0' });
    scene = await setScene(() => ({
      ...{ ...told('a'), ...told('b') },
      'probes/jobs.yaml': `
probes:
  - { name: job, exec: { argv: [sh, -c, "exit $(cat ../exit-{{item}})"] }, ${QUICK_PROBE}, each: [a, b] }
  - { name: jobs, group: { probes: [job] }, every: 10m, relapse: 0s }
`,
    }));
    daemon = await scene.start();
    await untilState(daemon, 'jobs', 'up');
    expect(await incidentsOf(daemon, 'jobs')).toEqual([]);
    // What a plug-in says that does not know.
    await scene.home.write({ 'exit-b': '3' });
    await untilState(daemon, 'jobs', 'unknown');
    const open = await untilIncident(daemon, 'jobs', 'open');
    expect(open).toMatchObject({ severity: 'warning', cause: '1 of its probes cannot tell' });
    await scene.home.write({ 'exit-b': '0' });
    await untilState(daemon, 'jobs', 'up');
    expect(await incidentsOf(daemon, 'jobs')).toMatchObject([{ id: open.id, resolution: 'recovered' }]);
  });

  it('are followed at a reload, item by item', async () => {
    await open();
    scene.targets.set('a', 'broken');
    const before = await untilIncident(daemon, 'shop[a]', 'open');
    await scene.home.write({ 'probes/shops.yaml': definitions('b, c, d') });
    expect((await daemon.fetch('/-/reload', { method: 'POST' })).status).toBe(200);
    await untilState(daemon, 'shop[d]', 'up');
    const closed = await untilIncident(daemon, 'shop[a]', 'closed', ({ resolved_at }) => resolved_at !== undefined);
    expect(closed).toMatchObject({ id: before.id, resolution: 'definition_removed' });
    expect((await probeOf(daemon, 'shop[b]')).state).toBe('up');
    scene.targets.set('b', 'broken');
    scene.targets.set('d', 'broken');
    expect((await untilIncident(daemon, 'shops', 'open')).cause).toContain('down: shop[b], shop[d]');
  });

  it('are called by their names on the command line and on the page', async () => {
    await open();
    const environment = { BASE: base(), LISTEN: '127.0.0.1:1', BUS_URL: 'http://127.0.0.1:1/' };
    const one = await brainstem(['probe', 'shop[b]', '--home', scene.home.path, '--json'], environment);
    expect(one.err).toBe('');
    expect(JSON.parse(one.out)).toMatchObject({ probe: 'shop[b]', state: 'up' });
    const alone = await brainstem(['probe', 'shops', '--home', scene.home.path], environment);
    expect(alone.code).toBe(3);
    expect(alone.out).toContain('ask `brainstem status`');
    expect((await untilState(daemon, 'disk[/tmp]', 'up')).target).toBe('test');
    const status = await brainstem(['status', '--url', daemon.url]);
    expect(status.code).toBe(0);
    await until(async () => (await (await daemon.fetch('/')).text()).includes('shop<span class="item">[b]</span>'), {
      what: 'the page to name it',
    });
  });
});
