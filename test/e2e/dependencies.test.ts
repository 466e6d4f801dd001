import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import {
  incidentsOf,
  pass,
  probeOf,
  type Scene,
  type SeenStory,
  setScene,
  storyKinds,
  untilIncident,
  untilState,
} from '../estate/scene.ts';

let scene: Scene;
let daemon: Daemon;

const ladder = (...rungs: readonly string[]) => `remediate: [{ try: [${rungs.join(', ')}] }]`;
const isOver = ({ resolved_at }: SeenStory) => resolved_at !== undefined;
const runs = (name: string) => scene.targets.fixNames().filter((each) => each === name);

beforeAll(async () => {
  scene = await setScene((targets) => ({
    'brainstem.yml': 'healing: { budget: 1000 in 10m }\n',
    'probes/all.yaml': probesFile(
      // One database under two applications; its fix takes a person's time, so that the test sees the wait.
      probe(targets, 'database', [ladder('mend-database'), 'page_after: 0s']),
      probe(targets, 'shop', ['depends_on: [database]', ladder('mend-shop')]),
      probe(targets, 'search', ['depends_on: [shop]', ladder('mend-search')]),
      // A root that is confirmed much later than its child.
      probe(targets, 'slow-root', ['every: 1500ms', 'timeout: 1400ms', 'fail_after: 3']),
      probe(targets, 'quick-child', ['depends_on: [slow-root]', ladder('mend-quick-child')]),
      // Dependencies that say nothing.
      probe(targets, 'absent', [`http: { url: "\${NOWHERE}" }`]),
      probe(targets, 'resting', ['paused: true']),
      probe(targets, 'lonely', ['depends_on: [absent, resting]', ladder('mend-lonely')]),
    ),
    'remediations/all.yaml': remediationsFile(
      fix(targets, 'mend-database', 'database', 'mends', ['mode: approve']),
      fix(targets, 'mend-shop', 'shop', 'mends'),
      fix(targets, 'mend-search', 'search', 'mends'),
      fix(targets, 'mend-quick-child', 'quick-child', 'mends'),
      fix(targets, 'mend-lonely', 'lonely', 'mends'),
    ),
  }));
  daemon = await scene.start();
});

afterAll(() => scene.close());

describe('a shared dependency that dies', () => {
  it('is one root that pages, with children that neither page nor are healed until it is up', async () => {
    const { targets, alerts } = scene;
    for (const name of ['database', 'shop', 'search']) await untilState(daemon, name, 'up');
    for (const name of ['database', 'shop', 'search']) targets.set(name, 'broken');

    const root = await untilIncident(daemon, 'database', 'open');
    const shop = await untilIncident(daemon, 'shop', 'a child', ({ parent_id }) => parent_id !== undefined);
    const search = await untilIncident(daemon, 'search', 'a child', ({ parent_id }) => parent_id !== undefined);
    expect(shop).toMatchObject({ parent_id: root.id, paged: false });
    expect(search).toMatchObject({ parent_id: root.id, paged: false });
    expect(root.parent_id).toBeUndefined();
    await until(() => alerts.kinds('database').includes('opened'), { what: 'the page of the root' });
    await pass(2_000);
    expect(alerts.of('shop')).toEqual([]);
    expect(alerts.of('search')).toEqual([]);
    expect(targets.fixes()).toEqual([]);
    const page = await (await daemon.fetch('/')).text();
    expect(page).toMatch(/shop/);

    // The root is mended, one child with it; the other stays broken and is now healed for itself.
    targets.set('search', 'ok');
    await daemon.api('remediations/mend-database/run', { probe: 'database' });
    const released = await untilIncident(daemon, 'shop', 'healed', isOver);
    expect(released.healed_by).toBe('mend-shop');
    expect(storyKinds(released)).toContain('released');
    await untilIncident(daemon, 'search', 'over', isOver);
    await until(() => alerts.kinds('shop').includes('resolved'), { what: 'the resolved message of the child' });
    expect(alerts.kinds('shop')[0]).toBe('opened');
    expect(alerts.of('search')).toEqual([]);
    expect(runs('mend-shop')).toHaveLength(1);
    expect(runs('mend-search')).toHaveLength(0);
  });
});

describe('a child that fails before its root is confirmed', () => {
  it('waits for the root, and opens as its child', async () => {
    const { targets, alerts } = scene;
    for (const name of ['slow-root', 'quick-child']) await untilState(daemon, name, 'up');
    for (const name of ['slow-root', 'quick-child']) targets.set(name, 'broken');
    const child = await untilIncident(daemon, 'quick-child', 'open');
    const root = await untilIncident(daemon, 'slow-root', 'open');
    expect(child.parent_id).toBe(root.id);
    await pass(1_000);
    expect(alerts.of('quick-child')).toEqual([]);
    expect(runs('mend-quick-child')).toEqual([]);
    for (const name of ['slow-root', 'quick-child']) targets.set(name, 'ok');
    await untilIncident(daemon, 'quick-child', 'over', isOver);
    await untilIncident(daemon, 'slow-root', 'over', isOver);
  });

  it('is adopted by a root that fails within a minute after it', async () => {
    const { targets, alerts } = scene;
    targets.set('shop', 'broken');
    await daemon.api('freeze', { why: 'so that the child stays down' });
    const alone = await untilIncident(daemon, 'shop', 'open', (each) => !isOver(each));
    expect(alone.parent_id).toBeUndefined();
    targets.set('database', 'broken');
    const root = await untilIncident(daemon, 'database', 'open', (each) => !isOver(each));
    const adopted = await untilIncident(daemon, 'shop', 'adopted', ({ parent_id }) => parent_id !== undefined);
    expect(adopted).toMatchObject({ id: alone.id, parent_id: root.id });
    expect(storyKinds(adopted)).toContain('adopted');
    targets.set('database', 'ok');
    targets.set('shop', 'ok');
    await untilIncident(daemon, 'shop', 'over', isOver);
    await daemon.api('unfreeze', {});
    await until(() => alerts.kinds('shop').at(-1) === 'resolved', { what: 'the resolved message' });
  });
});

describe('a dependency that is unconfigured or paused', () => {
  it('suppresses nothing', async () => {
    expect(await probeOf(daemon, 'absent')).toMatchObject({ state: 'unconfigured' });
    expect(await probeOf(daemon, 'resting')).toMatchObject({ state: 'paused' });
    await untilState(daemon, 'lonely', 'up');
    scene.targets.set('lonely', 'broken');
    const story = await untilIncident(daemon, 'lonely', 'healed', isOver);
    expect(story).toMatchObject({ healed_by: 'mend-lonely', paged: true });
    expect(story.parent_id).toBeUndefined();
    expect(await incidentsOf(daemon, 'absent')).toEqual([]);
  });
});
