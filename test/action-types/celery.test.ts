import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { celery } from '../../src/action-types/celery.ts';
import type { Probe } from '../../src/model.ts';
import type { ActionOutput, Context, Log } from '../../src/ports.ts';
import { sleep } from '../estate/hostile-network.ts';
import { type RedisServer, startRedis } from '../estate/redis.ts';
import { type ServerProcess, serverProcess } from '../estate/server-process.ts';
import { QUIET } from './input.ts';

const quiet: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => quiet };
const clock = { now: () => Date.now(), monotonic: () => performance.now() };

const APP = (url: string) => `
import time
from celery import Celery
app = Celery('app', broker='${url}')
app.conf.worker_pool_restarts = True
app.conf.broker_connection_retry_on_startup = True

@app.task(name='shop.export')
def export(seconds):
    time.sleep(seconds)

@app.task(name='shop.mail')
def mail(seconds):
    time.sleep(seconds)
`;

let broker: RedisServer;
let worker: ServerProcess;
let folder: string;

const python = (...argv: string[]) => ({
  command: '/usr/bin/python3',
  arguments: argv,
  environment: { C_FORCE_ROOT: '1', PYTHONPATH: folder, PATH: '/usr/bin:/bin' },
});

function act(written: object, timeoutMs = 20_000): Promise<ActionOutput> {
  const input = {
    remediation: 'fix',
    attemptId: 1,
    probe: { name: 'p' } as Probe,
    folder: '/',
    onChild: async () => {},
  };
  const context: Context = { signal: AbortSignal.timeout(timeoutMs), timeoutMs, clock, log: quiet };
  return celery.run(celery.spec.parse({ broker: broker.url, ...written }), { ...input, ...QUIET }, context);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'celery-'));
  broker = await startRedis();
  await writeFile(join(folder, 'app.py'), APP(broker.url));
  worker = serverProcess({
    ...python(
      '-m',
      'celery',
      '-A',
      'app',
      'worker',
      '-c',
      '3',
      '-n',
      'w1@loop',
      '--without-gossip',
      '--without-mingle',
      '--without-heartbeat',
    ),
    ready: async () => Number(await broker.cli('PUBSUB', 'NUMPAT')) > 0,
  });
  await worker.start();
}, 60_000);

afterAll(async () => {
  await worker?.end('SIGKILL');
  await broker?.stop();
  await rm(folder, { recursive: true, force: true });
}, 30_000);

async function send(task: string, seconds: number): Promise<void> {
  const code = `from app import app; app.send_task('${task}', args=[${seconds}])`;
  const sender = serverProcess({ ...python('-c', code), ready: async () => true });
  await sender.start();
  await sender.end('SIGCONT');
}

const rule = (more: object = {}) => act({ revoke: { running_longer_than: '1s', ...more } });

describe('on real workers', { timeout: 60_000 }, () => {
  test('there is nothing to end while no task runs that long', async () => {
    expect(await rule()).toEqual({ done: false, error: 'no task runs that long' });
  });

  test('tasks that run too long are ended, by their name, and others go on', async () => {
    await send('shop.export', 600);
    await send('shop.mail', 600);
    let ended = await rule({ task: 'shop.export' });
    for (let round = 0; !ended.done && round < 50; round += 1) {
      await sleep(200);
      ended = await rule({ task: 'shop.export' });
    }
    expect(ended).toMatchObject({
      done: true,
      output: expect.stringMatching(/^shop\.export \(\S+\) on w1@loop, running for \d+ s/),
    });
    await sleep(1_000);
    expect(await rule({ task: 'shop.export' })).toMatchObject({ error: 'no task runs that long' });
    expect(await rule({ task: 'shop.mail' })).toMatchObject({ done: true });
  });

  test('pools are restarted, by name or all of them', async () => {
    expect(await act({ restart_pool: 'all', wait: '10s' })).toMatchObject({
      done: true,
      output: expect.stringContaining('w1@loop'),
    });
    expect(await act({ restart_pool: ['w1@loop', 'w2@loop'], wait: '2s' })).toMatchObject({
      done: false,
      error: 'w2@loop did not answer',
    });
  });

  test('nothing is left in the broker', async () => {
    await rule();
    expect(await broker.cli('KEYS', '*reply.celery.pidbox')).not.toMatch(/^[0-9a-f-]{36}\.reply/m);
    expect(await broker.cli('SCARD', '_kombu.binding.reply.celery.pidbox')).toBe('0');
  });

  test('a worker that stands still is not waited for beyond the time, and one that is gone is told', async () => {
    worker.signal('SIGSTOP');
    const began = performance.now();
    expect(await act({ restart_pool: 'all', wait: '500ms' })).toEqual({
      done: false,
      error: 'none of 1 workers answered',
    });
    expect(performance.now() - began).toBeLessThan(2_500);
    worker.signal('SIGCONT');
    await worker.end('SIGKILL');
    await sleep(500);
    expect(await act({ restart_pool: 'all', wait: '500ms' })).toEqual({ done: false, error: 'no worker listens' });
  });
});

describe('the definition', () => {
  const url = 'redis://127.0.0.1';
  test.each([
    [{ broker: url }, 'needs exactly one of'],
    [{ broker: url, restart_pool: [] }, ''],
    [{ broker: url, restart_pool: ['*'] }, 'is not the name of one worker'],
    [{ broker: url, revoke: { running_longer_than: '10ms' } }, 'must be at least 1s'],
    [{ broker: 'amqp://127.0.0.1', restart_pool: 'all' }, 'is not a URL'],
  ])('refuses %j', (written, message) => {
    const parsed = celery.spec.safeParse(written);
    expect(parsed.success).toBe(false);
    expect(JSON.stringify(parsed.error?.issues)).toContain(message);
  });

  test('is told in words', () => {
    const would = (written: object) => celery.would(celery.spec.parse({ broker: url, ...written }), undefined);
    expect(would({ restart_pool: 'all' })).toBe('restart the pool of all workers on 127.0.0.1:6379/0');
    expect(would({ revoke: { running_longer_than: '5m', task: 'a.b' } })).toBe(
      'end at most 10 tasks a.b that run longer than 5m on 127.0.0.1:6379/0',
    );
  });
});
