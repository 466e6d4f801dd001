/** The estate in miniature, as `npm run estate` sets it: all of it is green, and breaks are seen as they must be. */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BREAKS } from '../../estate/breaks.ts';
import { play, untilGreen } from '../../estate/check.ts';
import { PARTS } from '../../estate/parts/index.ts';
import { type Stage, setStage } from '../../estate/stage.ts';

/** One of each kind; `npm run estate -- check` plays all. */
const SAMPLE = [
  ...['redis-killed', 'postgres-hangs', 'rows-deleted', 'worker-killed', 'customers-fail', 'page-broken'],
  ...['key-revoked', 'names-gone', 'certificate-ended', 'unit-fails'],
];
/** Slower than `npm run estate`, because other tests share the cores: a timeout of a second would also be theirs. */
const PACE = { everyMs: 3_000, retryEveryMs: 1_000, timeoutMs: 2_000 };
const UP_WITHIN_MS = 90_000;
/** Half of how far back rows are compared: earlier a window has no opinion. */
const WARM_MS = 16_000;

let stage: Stage;
let upMs = 0;

beforeAll(async () => {
  const begun = performance.now();
  stage = await setStage({ healing: 'observe', pace: PACE });
  await untilGreen(stage.daemon);
  upMs = performance.now() - begun;
  await new Promise((resume) => setTimeout(resume, WARM_MS));
}, 240_000);

afterAll(() => stage?.close(), 120_000);

interface Listed {
  readonly name: string;
  readonly state: string;
}

describe('the estate in miniature', () => {
  it('is up soon with every part, and watched whole', async () => {
    expect(stage.missing).toEqual([]);
    expect(Object.keys(stage.world)).toEqual(Object.keys(PARTS));
    expect(upMs).toBeLessThan(UP_WITHIN_MS);
    const { probes } = await stage.daemon.api<{ probes: Listed[] }>('probes');
    const unconfigured = probes.filter(({ state }) => state === 'unconfigured').map(({ name }) => name);
    expect(unconfigured).toEqual([]);
  });

  it('shows its three pages in a browser', async () => {
    for (const page of ['myroofgenius', 'weathercraft', 'task-os']) {
      const seen = await stage.daemon.api(`probes/${page}-browser`);
      expect(seen).toMatchObject({ state: 'up' });
    }
  });

  it('names in its breaks only probes that there are', async () => {
    const { probes } = await stage.daemon.api<{ probes: Listed[] }>('probes');
    const known = new Set(probes.map(({ name }) => name));
    const named = Object.values(BREAKS).flatMap(({ red, children = [] }) => [...Object.keys(red), ...children]);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
    expect(Object.keys(BREAKS).length).toBeGreaterThanOrEqual(20);
  });

  it.for(SAMPLE)(
    'sees %s: exactly its probes, for its reason, in time, and who depends on them as children',
    {
      timeout: 150_000,
    },
    async (name) => {
      const { problems, seenMs, allowedMs } = await play(stage, name);
      expect(problems).toEqual([]);
      expect(seenMs).toBeLessThan(allowedMs);
    },
  );

  it('leaves nothing', { timeout: 120_000 }, async () => {
    const { home, daemon } = stage;
    await stage.close();
    expect(existsSync(home.path)).toBe(false);
    expect(existsSync(`/proc/${daemon.pid}`)).toBe(false);
  });
});
