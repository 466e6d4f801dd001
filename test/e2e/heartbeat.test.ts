import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Daemon, until } from '../estate/daemon.ts';
import { probe, probesFile } from '../estate/definitions.ts';
import { incidentsOf, type Scene, setScene, untilIncident, untilState } from '../estate/scene.ts';

let scene: Scene;
let daemon: Daemon;

const job = (name: string, more: string) => [`heartbeat: { key: "key-of-${name}", ${more} }`];
const ping = (name: string, path = '', init: RequestInit = {}) => daemon.fetch(`/ping/key-of-${name}${path}`, init);
const isOver = ({ resolved_at }: { readonly resolved_at?: string }) => resolved_at !== undefined;

interface Fields {
  readonly reason?: string;
  readonly error?: string;
  readonly fields?: { readonly duration_ms?: number; readonly exit_code?: number; readonly last_ping_s?: number };
}

beforeAll(async () => {
  scene = await setScene((targets) => ({
    'probes/all.yaml': probesFile(
      ...['exiting', 'failing', 'timed', 'polite'].map((name) =>
        probe(targets, name, ['fail_after: 1', 'recover_after: 1', ...job(name, 'period: 1h, grace: 1h')]),
      ),
      probe(targets, 'late', ['fail_after: 1', 'recover_after: 1', ...job('late', 'period: 1500ms, grace: 1s')]),
      probe(targets, 'endless', [
        'fail_after: 1',
        'recover_after: 1',
        ...job('endless', 'period: 1h, grace: 500ms, max_run: 1s'),
      ]),
      probe(targets, 'never', ['fail_after: 1', 'recover_after: 1', ...job('never', 'period: 1s, grace: 2s')]),
    ),
  }));
  daemon = await scene.start();
});

afterAll(() => scene.close());

describe.concurrent('a job that pings as clients of Healthchecks do', () => {
  it('may use GET, HEAD and POST with a body, and is told OK', async () => {
    for (const init of [{}, { method: 'POST', body: 'all went well' }]) {
      const response = await ping('polite', '', init);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe('OK');
    }
    expect((await ping('polite', '', { method: 'HEAD' })).status).toBe(200);
    await untilState(daemon, 'polite', 'up');
    expect((await daemon.fetch('/ping/nobody-has-this-key')).status).toBe(404);
    expect((await ping('polite', '/256')).status).toBe(400);
  });

  it('is down at once after a non-zero exit code, and up after zero', async () => {
    await ping('exiting', '/0');
    await untilState(daemon, 'exiting', 'up');
    await ping('exiting', '/3', { method: 'POST', body: 'disk full' });
    const story = await untilIncident(daemon, 'exiting', 'open');
    expect(story.cause).toContain('exit code 3');
    const seen = await daemon.api<Fields>('probes/exiting');
    expect(seen).toMatchObject({ reason: 'exit_code', fields: { exit_code: 3 } });
    await ping('exiting', '/0');
    await untilIncident(daemon, 'exiting', 'over', isOver);
  });

  it('is down at once after /fail, and a /start does not take that back', async () => {
    await ping('failing');
    await untilState(daemon, 'failing', 'up');
    await ping('failing', '/fail');
    await untilState(daemon, 'failing', 'down');
    await ping('failing', '/start');
    const { last_run_at: before } = await daemon.api<{ last_run_at: string }>('probes/failing');
    await until(async () => (await daemon.api<{ last_run_at: string }>('probes/failing')).last_run_at > before, {
      what: 'another look at it',
    });
    await untilState(daemon, 'failing', 'down');
    await ping('failing');
    await untilIncident(daemon, 'failing', 'over', isOver);
  });

  it('has its duration measured from /start to its end', async () => {
    await ping('timed', '/start');
    await new Promise((resume) => setTimeout(resume, 600));
    await ping('timed');
    const { fields } = await until(
      async () => {
        const seen = await daemon.api<Fields>('probes/timed');
        return seen.fields?.duration_ms !== undefined && seen;
      },
      { what: 'the duration' },
    );
    expect(fields?.duration_ms).toBeGreaterThanOrEqual(590);
    expect(await incidentsOf(daemon, 'timed')).toEqual([]);
  });

  it('is down when it misses its deadline, and up at its next success', async () => {
    await ping('late');
    await untilState(daemon, 'late', 'up');
    const { resolved_at } = await untilIncident(daemon, 'late', 'open', ({ cause }) =>
      /the last success was/.test(cause),
    );
    expect(resolved_at).toBeUndefined();
    expect(await daemon.api<Fields>('probes/late')).toMatchObject({ reason: 'missed_heartbeat' });
    await ping('late');
    await untilIncident(daemon, 'late', 'over', isOver);
  });

  it('is down when it started and does not end within max_run', async () => {
    await ping('endless');
    await untilState(daemon, 'endless', 'up');
    await ping('endless', '/start');
    const story = await untilIncident(daemon, 'endless', 'open');
    expect(story.cause).toContain('has not ended within 1s');
    await ping('endless');
    await untilIncident(daemon, 'endless', 'over', isOver);
  });

  it('is down when it never reported, one period and grace after it was first defined', async () => {
    const story = await untilIncident(daemon, 'never', 'open');
    expect(story.cause).toContain('has never reported');
  });
});

describe('a job that reports while the daemon restarts', () => {
  it('is believed by what it said last', async () => {
    await ping('exiting', '/9');
    await untilState(daemon, 'exiting', 'down');
    const open = (await incidentsOf(daemon, 'exiting'))[0];
    expect(await daemon.stop()).toBe(0);
    daemon = await scene.start();
    await untilState(daemon, 'exiting', 'down');
    expect((await incidentsOf(daemon, 'exiting'))[0]?.id).toBe(open?.id);
    await ping('exiting', '/0');
    await untilIncident(daemon, 'exiting', 'over', isOver);
  });
});
