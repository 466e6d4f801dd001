import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHome, type Daemon, startDaemon, until } from '../estate/daemon.ts';
import { fix, probe, probesFile, remediationsFile } from '../estate/definitions.ts';
import { brainstem } from '../estate/program.ts';
import { type Scene, type SeenStory, setScene, storyKinds, untilIncident, untilState } from '../estate/scene.ts';

const LONG_MS = 120_000;

/** Each call of the program shares the processor with all the others. */
const PATIENT = ['every: 5s', 'timeout: 5s'];

let scene: Scene;
let daemon: Daemon;
const command = (...argv: readonly string[]) => brainstem([...argv, '--url', daemon.url], { USER: 'ann' });

beforeAll(async () => {
  scene = await setScene((targets) => ({
    'probes/all.yaml': probesFile(
      probe(targets, 'good', PATIENT),
      probe(targets, 'fixable'),
      probe(targets, 'bad', PATIENT),
      probe(targets, 'worse', [`warn: ['json.status != "degraded"']`, 'paused: true', ...PATIENT]),
      probe(targets, 'absent', [`http: { url: "\${NOWHERE}" }`]),
      probe(targets, 'broken', [`exec: { argv: ["/bin/sh", "-c", "exit 3"] }`, 'paused: true', ...PATIENT]),
    ),
    'remediations/all.yaml': remediationsFile(
      fix(targets, 'mend', 'fixable', 'mends'),
      fix(targets, 'idle', 'fixable', 'nothing', ['verify_within: 1s']),
    ),
  }));
  daemon = await scene.start();
  for (const name of ['good', 'bad', 'fixable']) await untilState(daemon, name, 'up');
});

afterAll(() => scene.close());

describe('brainstem status', () => {
  it(
    'exits 0 while all is well, 1 when something is down, and 2 without a daemon',
    async () => {
      const well = await command('status');
      expect(well).toMatchObject({ code: 0, err: '' });
      expect(well.out).toMatch(/3 up, 2 paused, 1 unconfigured/);
      expect(well.out).toMatch(/1 unconfigured, not shown/);
      expect((await command('status', '--all')).out).toMatch(/absent.*set NOWHERE/);
      scene.targets.set('bad', 'broken');
      await untilState(daemon, 'bad', 'down');
      const ill = await command('status');
      expect(ill).toMatchObject({ code: 1, err: '' });
      expect(ill.out).toMatch(/down\s+bad/);
      const asJson = await command('status', '--json');
      expect(asJson.code).toBe(1);
      expect((JSON.parse(asJson.out) as { counts: object }).counts).toMatchObject({ up: 2, down: 1, unconfigured: 1 });
      const nobody = await brainstem(['status', '--url', 'http://127.0.0.1:1']);
      expect(nobody).toMatchObject({ code: 2, out: '' });
      expect(nobody.err).toContain('no daemon answers at http://127.0.0.1:1');
    },
    LONG_MS,
  );
});

describe('brainstem incidents', () => {
  it(
    'lists, shows, comments, acknowledges and resolves, and says no with a reason',
    async () => {
      const { id } = await untilIncident(daemon, 'bad', 'open');
      const listed = await command('incidents');
      expect(listed).toMatchObject({ code: 0 });
      expect(listed.out).toMatch(new RegExp(`#${id}\\s+open`));
      expect(await command('incidents', 'comment', String(id), 'looking', 'into', 'it')).toMatchObject({ code: 0 });
      expect(await command('incidents', 'ack', String(id))).toMatchObject({ code: 0 });
      const shown = await command('incidents', 'show', String(id));
      expect(shown.out).toMatch(/comment by ann\s+looking into it/);
      expect(shown.out).toMatch(/acknowledged by ann/);
      const refused = await command('incidents', 'resolve', String(id));
      expect(refused.code).not.toBe(0);
      expect(refused.err).toContain('--force');
      expect(await command('incidents', 'resolve', String(id), '--force')).toMatchObject({ code: 0 });
      // It still fails: a confirmed failure opens the next one.
      const next = await untilIncident(daemon, 'bad', 'open again', (story) => story.id !== id);
      expect(next.acknowledged_by).toBeUndefined();
      const closed = await daemon.api<SeenStory>(`incidents/${id}`);
      expect(storyKinds(closed)).toContain('resolved');
      expect((await command('incidents', 'show', '999')).code).not.toBe(0);
      expect((await command('incidents', 'list', '--all')).out).toMatch(/by hand/);
    },
    LONG_MS,
  );
});

describe('brainstem remediate', () => {
  it(
    'exits 0 when the probe decides that it healed, and 1 when it does not',
    async () => {
      scene.targets.set('fixable', 'broken');
      await untilState(daemon, 'fixable', 'down');
      const dry = await command('remediate', 'mend', '--probe', 'fixable', '--dry-run');
      expect(dry).toMatchObject({ code: 0 });
      expect(scene.targets.fixNames()).toEqual([]);
      const idle = await command('remediate', 'idle', '--probe', 'fixable');
      expect(idle).toMatchObject({ code: 1 });
      expect(idle.out).toMatch(/^failed in /);
      const mended = await command('remediate', 'mend', '--probe', 'fixable', '--json');
      expect(mended.code).toBe(0);
      expect(JSON.parse(mended.out)).toMatchObject({
        plan: { go: true },
        attempt: { state: 'healed', requested_by: 'ann' },
      });
      expect(scene.targets.fixNames()).toEqual(['idle', 'mend']);
      const unknown = await command('remediate', 'mend', '--probe', 'nobody');
      expect(unknown.code).not.toBe(0);
      expect(unknown.err).toContain('nobody');
    },
    LONG_MS,
  );
});

describe('brainstem probe', () => {
  it(
    'exits 0 up or degraded, 1 down, 3 unknown or unconfigured, 2 on wrong usage',
    async () => {
      const environment = { LISTEN: '127.0.0.1:1', BUS_URL: 'http://127.0.0.1:1' };
      scene.targets.set('worse', 'degraded');
      scene.targets.set('bad', 'broken');
      const ask = (...argv: readonly string[]) => brainstem(['probe', ...argv, '--home', scene.home.path], environment);
      const [good, worse, bad, broken, absent, nobody, nothing, adHoc, misspelt] = await Promise.all([
        ask('good', '--json'),
        ask('worse'),
        ask('bad'),
        ask('broken'),
        ask('absent'),
        ask('nobody'),
        ask(),
        ask('--type', 'http', '--set', `url=${scene.targets.url('good')}`, '--expect', 'status == 201'),
        ask('--type', 'http', '--set', 'ulr=http://127.0.0.1:1/'),
      ]);
      expect(good.code).toBe(0);
      expect(JSON.parse(good.out)).toMatchObject({
        probe: 'good',
        state: 'up',
        verdict: 'pass',
        fields: { status: 200 },
      });
      expect(worse).toMatchObject({ code: 0, out: expect.stringContaining('DEGRADED') });
      expect(bad).toMatchObject({ code: 1, out: expect.stringContaining('DOWN  http_status') });
      expect(broken).toMatchObject({ code: 3, out: expect.stringContaining('UNKNOWN') });
      expect(absent).toMatchObject({ code: 3, err: expect.stringContaining('NOWHERE is not set') });
      expect(nobody).toMatchObject({ code: 2, err: expect.stringContaining('no probe is called "nobody"') });
      expect(nothing.code).toBe(2);
      expect(adHoc).toMatchObject({ code: 1, out: expect.stringContaining('status == 201   (status = 200)') });
      expect(misspelt).toMatchObject({ code: 2, err: expect.stringContaining('url') });
    },
    LONG_MS,
  );
});

describe('a new home', () => {
  it(
    'is made by init, is valid, found healthy by doctor, and runs',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'brainstem-init-'));
      try {
        const made = await brainstem(['init', folder]);
        expect(made).toMatchObject({ code: 0, err: '' });
        expect(made.out).toContain('brainstem.yml');
        await writeFile(join(folder, '.env'), 'WEB_URL=http://127.0.0.1:1/\n');
        expect((await brainstem(['init', folder])).out).toContain('kept');
        const [validated, doctor] = await Promise.all([
          brainstem(['validate', folder]),
          brainstem(['doctor', '--home', folder]),
        ]);
        expect(validated).toMatchObject({ code: 0, out: expect.stringMatching(/2 probes, 1 remediation, 1 notifier/) });
        expect(doctor).toMatchObject({ code: 0, out: expect.not.stringContaining('PROBLEM') });
        const settings = `http: { listen: "\${LISTEN}" }\n`;
        await writeFile(join(folder, 'brainstem.yml'), settings);
        const home = { path: folder, write: async () => undefined, remove: async () => undefined };
        const fresh = await startDaemon({ home });
        try {
          await until(async () => (await fresh.api<{ verdict: string }>('probes/web')).verdict === 'fail', {
            what: 'the example probe to be judged',
          });
          expect(await fresh.stop()).toBe(0);
        } finally {
          await fresh.kill();
        }
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    LONG_MS,
  );
});

describe('what explains itself', () => {
  it(
    'explain, schema, validate and every --help, with exit codes as written',
    async () => {
      const wrong = await createHome({
        'probes/a.yaml': 'probes:\n  - nam: a\n    http: { url: "http://127.0.0.1:1/" }\n',
      });
      try {
        const [explained, unknown, schema, invalid, help, misspelt, version] = await Promise.all([
          brainstem(['explain', 'http']),
          brainstem(['explain', 'htpp']),
          brainstem(['schema']),
          brainstem(['validate', wrong.path]),
          brainstem(['remediate', '--help']),
          brainstem(['staus']),
          brainstem(['--version']),
        ]);
        expect(explained).toMatchObject({ code: 0, out: expect.stringContaining('max_body') });
        expect(unknown.code).not.toBe(0);
        expect(unknown.err).toContain('did you mean "http"');
        expect(schema.code).toBe(0);
        expect(JSON.parse(schema.out)).toBeTypeOf('object');
        expect(invalid).toMatchObject({ code: 1, out: '', err: expect.stringMatching(/probes\/a\.yaml:2:5: .*name/) });
        expect(help).toMatchObject({ code: 0, out: expect.stringContaining('brainstem remediate restart-backend') });
        expect(misspelt).toMatchObject({ code: 2, err: expect.stringContaining('status') });
        expect(version).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+/) });
      } finally {
        await wrong.remove();
      }
    },
    LONG_MS,
  );
});
