import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { exec } from '../../src/action-types/exec.ts';
import type { Incident, Observation, Probe } from '../../src/model.ts';
import type { ActionInput, Context, Log } from '../../src/ports.ts';
import { QUIET } from './input.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };

const probe: Probe = {
  name: 'disk',
  title: 'Disk',
  type: 'host',
  spec: {},
  target: 'localhost',
  schedule: { kind: 'interval', everyMs: 30_000 },
  timeoutMs: 10_000,
  expect: [],
  warn: [],
  failAfter: 3,
  recoverAfter: 2,
  severity: 'warning',
  dependsOn: [],
  remediate: [],
  pageAfterMs: 0,
  relapseMs: 900_000,
  group: 'default',
  labels: { team: 'platform' },
  paused: false,
  exportFields: [],
  unset: [],
  revision: 'r1',
  targetRevision: 't1',
  location: { file: 'probes/host.yaml', line: 1, column: 1 },
};

const incident: Incident = {
  id: 7,
  source: 'probe',
  subject: 'disk',
  title: 'Disk is DOWN',
  severity: 'warning',
  reason: 'condition',
  cause: 'disk_percent_max = 97; "quoted" $(touch acted)',
  openedAt: 1,
  activeAt: 1,
  paged: false,
  degraded: false,
  reopened: 0,
  exhausted: false,
};

const observation: Observation = {
  probe: 'disk',
  startedAt: 1,
  latencyMs: 2,
  reason: 'ok',
  fields: { disk_percent_max: 97 },
};

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'action-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function run(spec: unknown, input: Partial<ActionInput> = {}, context: Partial<Context> = {}) {
  const complete = {
    remediation: 'prune',
    attemptId: 12,
    probe,
    incident,
    observation,
    folder,
    onChild: async () => {},
    ...QUIET,
  };
  const clock = { now: () => 0, monotonic: () => 0 };
  const signal = AbortSignal.timeout(15_000);
  return exec.run(
    exec.spec.parse(spec),
    { ...complete, ...input },
    { signal, timeoutMs: 15_000, clock, log, ...context },
  );
}

async function script(name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

it('runs a script beside the definition, in its folder, with the incident on standard input', async () => {
  await script('fix.sh', 'pwd; cat > heard.json');
  const output = await run({ argv: ['./fix.sh', '--keep', '7d'] });
  expect(output).toEqual({ done: true, exitCode: 0, output: `${folder}\n` });
  const heard = JSON.parse(await readFile(join(folder, 'heard.json'), 'utf8')) as Record<string, unknown>;
  expect(heard).toMatchObject({
    remediation: 'prune',
    attempt: 12,
    incident: { id: 7, cause: incident.cause },
    probe: { name: 'disk', type: 'host', target: 'localhost' },
    observation: { reason: 'ok', fields: { disk_percent_max: 97 } },
  });
});

it('is not done when the program says so by its exit code, and keeps what it printed', async () => {
  const output = await run({ argv: ['sh', '-c', 'echo tried; echo why >&2; exit 4'] });
  expect(output).toEqual({ done: false, exitCode: 4, output: 'tried\nwhy\n', error: 'exit code 4' });
});

it('is not done when the program is not there', async () => {
  const output = await run({ argv: ['./missing.sh'] });
  expect(output.done).toBe(false);
  expect(output.error).toContain(join(folder, 'missing.sh'));
});

it('starts where cwd says, relative to the definition', async () => {
  expect(await run({ argv: ['pwd'], cwd: '/' })).toMatchObject({ output: '/\n' });
  expect(await run({ argv: ['pwd'], cwd: '..' })).toMatchObject({ output: `${tmpdir()}\n` });
});

it('passes on PATH, HOME, LANG, LC_ALL and TZ of the daemon, and what is declared, and nothing else', async () => {
  const environment = { PATH: '/usr/bin:/bin', HOME: '/root', TZ: 'UTC', LANG: '', DATABASE_URL: 'postgres://u:p@h/d' };
  const output = await run({ argv: ['env'], env: { GREETING: 'hello' } }, {}, { environment });
  const lines = output.output?.trim().split('\n').sort();
  expect(lines?.map((line) => line.split('=')[0])).toEqual(['BRAINSTEM_RUN', 'GREETING', 'HOME', 'PATH', 'TZ']);
});

it('ends at the deadline with everything it started', async () => {
  await script('hang.sh', "trap '' TERM\necho before\nwhile :; do sleep 1; done");
  const output = await run({ argv: ['./hang.sh'] }, {}, { signal: AbortSignal.timeout(700) });
  expect(output).toMatchObject({
    done: false,
    output: 'before\n',
    error: expect.stringContaining('killed with all it started'),
  });
});

it('is on record before it acts, and does not act when it cannot be recorded', async () => {
  const recorded: number[] = [];
  await run({ argv: ['true'] }, { onChild: async ({ pid, startTicks }) => void recorded.push(pid, startTicks) });
  expect(recorded.every((value) => value > 0)).toBe(true);
  const refused = run({ argv: ['touch', 'acted'] }, { onChild: () => Promise.reject(new Error('store away')) });
  await expect(refused).rejects.toMatchObject({ code: 'child_not_recorded' });
  await expect(readFile(join(folder, 'acted'))).rejects.toThrow('ENOENT');
});

it.each([
  ['a string where a list is wanted', { argv: 'rm -rf /' }, 'nothing runs through a shell'],
  ['an empty list', { argv: [] }, ''],
  ['an empty program', { argv: [''] }, ''],
  ['a NUL character', { argv: ['echo', 'a\0b'] }, 'NUL'],
  ['a shell', { argv: ['echo'], shell: true }, 'argv: ["/bin/sh", "-c"'],
  ['a variable with a bad name', { argv: ['echo'], env: { 'A-B': '1' } }, 'name of a variable'],
  ['an unknown option', { argv: ['echo'], user: 'root' }, 'user'],
])('refuses %s', (_what, spec, message) => {
  const parsed = exec.spec.safeParse(spec);
  expect(parsed.success).toBe(false);
  expect(JSON.stringify(parsed.error?.issues).replaceAll('\\"', '"')).toContain(message);
});

it('locks on the remediation, and is evidence only when it says that it reads', () => {
  const acting = exec.spec.parse({ argv: ['true'] });
  expect(exec.resource(acting, 'prune', undefined)).toBe('exec:prune');
  expect(exec.fromProbe(acting)).toBe(false);
  expect(exec.readsOnly(acting)).toBe(false);
  expect(exec.readsOnly(exec.spec.parse({ argv: ['df'], read_only: true }))).toBe(true);
});
