import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { supervisor } from '../../src/action-types/supervisor.ts';
import type { Probe, Resource } from '../../src/model.ts';
import type { ActionOutput, Context, Log } from '../../src/ports.ts';
import { closedPort } from '../estate/hostile-network.ts';
import { type Supervisord, startSupervisord } from '../estate/supervisord.ts';
import { QUIET } from './input.ts';

const LOGIN = { user: 'me', password: ['correct', 'horse'].join('-') };
const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const clock = { now: () => Date.now(), monotonic: () => performance.now() };

const contextOf = (timeoutMs: number): Context => ({
  ...{ signal: AbortSignal.timeout(timeoutMs), timeoutMs, clock, log: quiet },
});

function act(written: object, resource?: Resource, timeoutMs = 20_000): Promise<ActionOutput> {
  const input = {
    remediation: 'fix',
    attemptId: 1,
    probe: { name: 'web' } as Probe,
    folder: '/',
    onChild: async () => {},
  };
  const spec = supervisor.spec.parse(written);
  return supervisor.run(spec, { ...input, ...QUIET, ...(resource && { resource }) }, contextOf(timeoutMs));
}

let server: Supervisord;
beforeAll(async () => {
  server = await startSupervisord(
    {
      web: ['command=/bin/sh -c "echo these are my last words; exec sleep 1000"', 'startsecs=0'],
      broken: ['command=/nonexistent/program', 'autostart=false', 'startretries=0'],
      manual: ['command=/bin/sleep 1000', 'autostart=false', 'startsecs=0'],
      slow: ['command=/bin/sleep 1000', 'autostart=false', 'startsecs=600'],
    },
    LOGIN,
  );
}, 60_000);
afterAll(() => server?.stop());

const on = (written: object) => act({ url: server.url, ...LOGIN, ...written });
const pidOf = (program: string) => server.control('pid', program);

describe('on a real supervisord', { timeout: 40_000 }, () => {
  test('it restarts, stops and starts, and what is so already is done', async () => {
    const first = await pidOf('web');
    expect(await on({ restart: 'web' })).toEqual({ done: true });
    const second = await pidOf('web');
    expect(second).toMatch(/^[1-9]\d*$/);
    expect(second).not.toBe(first);
    expect(await on({ start: 'web' })).toEqual({ done: true });
    expect(await on({ stop: 'web' })).toEqual({ done: true });
    expect(await on({ stop: 'web' })).toEqual({ done: true });
    expect(await pidOf('web')).toBe('0');
    expect(await on({ restart: 'web' })).toEqual({ done: true });
    expect(await pidOf('web')).not.toBe('0');
  });

  test('it acts where the probe observed a program, over its unix socket', async () => {
    const before = await pidOf('web');
    const observed = { kind: 'program', name: 'web', at: `unix://${server.socket}` };
    expect(await act({ restart: { from: 'probe' } }, observed)).toEqual({ done: true });
    expect(await pidOf('web')).not.toBe(before);
  });

  test('it tells why it could not', async () => {
    expect(await on({ restart: 'broken' })).toEqual({ done: false, error: expect.stringContaining('was not started') });
    expect(await on({ restart: 'nobody' })).toEqual({ done: false, error: expect.stringContaining('BAD_NAME') });
    expect(await act({ restart: 'web', url: server.url })).toMatchObject({
      done: false,
      error: 'supervisord wants other credentials (401)',
    });
    const url = `http://127.0.0.1:${await closedPort()}`;
    expect(await act({ restart: 'web', url })).toMatchObject({ error: expect.stringContaining('did not answer') });
    expect(await act({ restart: { from: 'probe' } })).toMatchObject({ error: expect.stringContaining('no program') });
  });

  test('at the deadline it does not claim that nothing happened', async () => {
    const written = { start: 'slow', url: server.socket };
    expect(await act(written, undefined, 700)).toMatchObject({
      done: false,
      error: expect.stringContaining('may still do what was asked'),
    });
    await server.control('stop', 'slow');
  });

  test('it reads the log', async () => {
    expect(await on({ logs: 'web' })).toMatchObject({ done: true, output: expect.stringContaining('my last words') });
    expect(await on({ logs: 'nobody' })).toMatchObject({ done: false });
  });

  test('it sees a hand on a program that the probe has not looked at', async () => {
    const hand = (written: object, observed?: Resource) =>
      supervisor.intervention?.(supervisor.spec.parse({ url: server.socket, ...written }), observed, contextOf(10_000));
    expect(await hand({ restart: 'web' })).toBeUndefined();
    await server.control('stop', 'web');
    expect(await hand({ restart: 'web' })).toMatchObject({ certain: true });
    expect(await hand({ stop: 'web' })).toBeUndefined();
    expect(await hand({ restart: 'manual' })).toMatchObject({ certain: false });
    const observed = { kind: 'program', name: 'web', at: `unix://${server.socket}` };
    expect(await hand({ restart: { from: 'probe' } }, observed)).toBeUndefined();
    expect(await hand({ restart: 'web', url: join(server.folder, 'nothing.sock') })).toBeUndefined();
  });
});

test('an answer without end is not read to its end', async () => {
  const endless = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('HTTP/1.0 200 OK\r\n\r\n');
    const pump = () => {
      while (!socket.destroyed && socket.write('x'.repeat(65_536)));
    };
    socket.on('drain', pump);
    pump();
  });
  const path = join(server.folder, 'endless.sock');
  await new Promise<void>((resolve) => endless.listen(path, resolve));
  onTestFinished(() => void endless.close());
  expect(await act({ restart: 'web', url: path })).toEqual({ done: false, error: 'the answer is larger than 1 MiB' });
});

describe('what it acts on', () => {
  const lockOf = (written: object, observed?: Resource) =>
    supervisor.resource(supervisor.spec.parse(written), 'fix', observed);

  test('is the program and where it lives, whoever named it', () => {
    const url = 'http://127.0.0.1:9001';
    expect(lockOf({ restart: 'web', url })).toBe('program:web@127.0.0.1:9001');
    const observed = { kind: 'program', name: 'web', at: `${url}/RPC2` };
    expect(lockOf({ restart: { from: 'probe' } }, observed)).toBe('program:web@127.0.0.1:9001');
    expect(lockOf({ restart: { from: 'probe' } }, { kind: 'unit', name: 'web' })).toBeUndefined();
    expect(lockOf({ restart: { from: 'probe' } })).toBeUndefined();
  });

  test('is told in words, and only logs reads', () => {
    const url = '/run/supervisor.sock';
    expect(supervisor.would(supervisor.spec.parse({ restart: 'web', url }), undefined)).toBe('restart program web');
    expect(supervisor.readsOnly(supervisor.spec.parse({ logs: 'web', url }))).toBe(true);
    expect(supervisor.readsOnly(supervisor.spec.parse({ stop: 'web', url }))).toBe(false);
  });

  test.each([
    [{}, 'needs exactly one of'],
    [{ restart: 'web' }, 'needs url'],
    [{ restart: 'team:*', url: '/run/s.sock' }, 'is not the name of one program'],
    [{ restart: 'web', url: '/run/s.sock', user: 'me' }, 'belong together'],
  ])('refuses %j', (written, message) => {
    const problems = supervisor.spec.safeParse(written).error?.issues.map((issue) => issue.message);
    expect(problems?.join()).toContain(message);
  });
});
