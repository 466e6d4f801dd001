import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileCondition, NO_WINDOW } from '../../src/engine/condition.ts';
import type { Context, Log } from '../../src/ports.ts';
import { exec } from '../../src/probe-types/exec.ts';

const log: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
const PLUGINS = '/usr/lib/nagios/plugins';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'exec-probe-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function run(spec: unknown, context: Partial<Context> = {}) {
  const input = { probe: 'p', folder, heartbeat: () => Promise.reject(new Error('not a heartbeat')) };
  const clock = { now: () => 0, monotonic: () => 0 };
  const signal = AbortSignal.timeout(15_000);
  return exec.run(exec.spec.parse(spec), input, { signal, timeoutMs: 15_000, clock, log, ...context });
}

it.each([
  [0, 'ok', undefined],
  [1, 'ok', undefined],
  [2, 'exit_code', 'exit code 2: said'],
  [3, 'internal', 'exit code 3: said'],
  [4, 'exit_code', 'exit code 4: said'],
  [126, 'internal', 'exit code 126: said'],
  [127, 'internal', 'exit code 127: said'],
  [255, 'exit_code', 'exit code 255: said'],
])('takes exit code %i as %s', async (code, reason, error) => {
  const output = await run({ argv: ['sh', '-c', `echo 'said | a=1'; exit ${code}`] });
  expect(output).toMatchObject({ reason, fields: { exit_code: code, stdout: 'said | a=1', perfdata: { a: 1 } } });
  expect(output.error).toBe(error);
});

it('makes a warning of exit code 1', () => {
  expect(exec.impliedWarn).toEqual({ unlessNames: 'exit_code', source: 'exit_code != 1' });
});

it('shows what went to the error output when nothing else was said', async () => {
  const output = await run({ argv: ['sh', '-c', 'echo broken >&2; exit 2'] });
  expect(output.error).toBe('exit code 2: broken');
});

it.each([
  ['a program that is not there', { argv: ['no-such-plugin'] }],
  ['a script without its interpreter', { argv: ['./no-interpreter'] }],
  ['a program that crashed', { argv: ['sh', '-c', 'kill -SEGV $$'] }],
])('blames the definition, not the target, for %s', async (_what, spec) => {
  await writeFile(join(folder, 'no-interpreter'), '#!/no/such/interpreter\n', { mode: 0o755 });
  const output = await run(spec);
  expect(output.reason).toBe('internal');
  expect(output.error).toBeTruthy();
});

it('ends at the deadline, within its grace, and shows what was printed until then', async () => {
  const started = performance.now();
  const argv = ['sh', '-c', "trap '' TERM; echo checking; while :; do sleep 1; done"];
  const output = await run({ argv }, { signal: AbortSignal.timeout(500) });
  expect(output.reason).toBe('timeout');
  expect(output.error).toContain('checking');
  expect(performance.now() - started).toBeLessThan(5_000);
});

it('keeps the first 4 KiB of the output', async () => {
  const output = await run({ argv: ['sh', '-c', 'yes | head -c 100000'] });
  expect(String(output.fields['stdout']).length).toBe(4_096);
});

it('names as its target the program alone, not its arguments', () => {
  expect(exec.target(exec.spec.parse({ argv: ['/bin/check', '--password', 'x'] }))).toBe('/bin/check');
});

describe('real plugins', () => {
  let server: Server;
  let port: string;

  beforeEach(async () => {
    server = createServer((request, response) => response.writeHead(request.url === '/' ? 200 : 404).end('hello'));
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    port = String((server.address() as AddressInfo).port);
  });

  afterEach(() => new Promise((done) => server.close(done)));

  it('check_http', async () => {
    const argv = [`${PLUGINS}/check_http`, '-H', '127.0.0.1', '-p', port];
    const output = await run({ argv });
    expect(output).toMatchObject({
      reason: 'ok',
      fields: { exit_code: 0, perfdata: { time: expect.any(Number), size: expect.any(Number) } },
    });
    expect(await run({ argv: [...argv, '-u', '/missing'] })).toMatchObject({ reason: 'ok', fields: { exit_code: 1 } });
  });

  it('check_tcp', async () => {
    expect(await run({ argv: [`${PLUGINS}/check_tcp`, '-H', '127.0.0.1', '-p', port] })).toMatchObject({
      reason: 'ok',
      fields: { perfdata: { time: expect.any(Number) } },
    });
    const refused = await run({ argv: [`${PLUGINS}/check_tcp`, '-H', '127.0.0.1', '-p', '1'] });
    expect(refused).toMatchObject({ reason: 'exit_code', error: expect.stringContaining('refused') });
  });

  it('check_disk, check_load and check_procs', async () => {
    const disk = await run({ argv: [`${PLUGINS}/check_disk`, '-w', '1%', '-c', '1%', '-p', '/'] });
    expect(disk).toMatchObject({ reason: 'ok', fields: { perfdata: { '/': expect.any(Number) } } });
    const load = await run({ argv: [`${PLUGINS}/check_load`, '-w', '900,900,900', '-c', '900,900,900'] });
    expect(load).toMatchObject({
      reason: 'ok',
      fields: { perfdata: { load1: expect.any(Number), load15: expect.any(Number) } },
    });
    const procs = await run({ argv: [`${PLUGINS}/check_procs`, '-c', '1:'] });
    expect(procs).toMatchObject({ reason: 'ok', fields: { perfdata: { procs: expect.any(Number) } } });
    const usage = await run({ argv: [`${PLUGINS}/check_procs`, '--no-such-option'] });
    expect(usage.reason).toBe('internal');
  });

  it('thresholds that are crossed, and conditions over perfdata', async () => {
    const disk = await run({ argv: [`${PLUGINS}/check_disk`, '-w', '100%', '-c', '100%', '-p', '/'] });
    expect(disk).toMatchObject({
      reason: 'exit_code',
      fields: { exit_code: 2, perfdata: { '/': expect.any(Number) } },
    });
    const procs = await run({ argv: [`${PLUGINS}/check_procs`, '-w', '1000000:'] });
    expect(procs).toMatchObject({ reason: 'ok', fields: { exit_code: 1, perfdata: { procs: expect.any(Number) } } });
    const { reason, fields } = await run({ argv: [`${PLUGINS}/check_load`, '-w', '900,900,900', '-c', '900,900,900'] });
    const outcomeOf = (source: string) => {
      const location = { file: 'p.yaml', line: 1, column: 1 };
      const condition = compileCondition(source, { fields: exec.fields, everyMs: 30_000, windows: true, location });
      return condition.evaluate({ ok: true, reason, latency_ms: 1, error: null, ...fields }, NO_WINDOW).outcome;
    };
    expect(outcomeOf('perfdata.load1 < 900 && perfdata.load15 >= 0')).toBe('true');
    expect(outcomeOf('perfdata.load1 < 0')).toBe('false');
    expect(outcomeOf('perfdata.load2 < 900')).toBe('false');
  });
});
