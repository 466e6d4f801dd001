/** The app as an embedding program has it. */
import { createHook } from 'node:async_hooks';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createApp } from '../src/app.ts';
import { createRedactor } from '../src/redact.ts';
import { quietLog } from './notifiers/alerts.ts';

/** A home that listens there. */
async function homeOn(port: number): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'brainstem-app-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  await writeFile(join(home, 'brainstem.yml'), `http: { listen: "127.0.0.1:${port}" }\n`);
  return home;
}

function appOf(home: string) {
  return createApp({
    ...{ home, environment: {}, version: 'test', redactor: createRedactor(), random: Math.random },
    clock: { now: () => Date.now(), monotonic: () => performance.now() },
    createLog: () => ({ ...quietLog, flush: () => undefined }),
    process: {
      ...{ pid: process.pid, cpuMs: () => performance.now(), uptimeMs: () => performance.now() },
      ...{ memoryBytes: () => 0, compactHeap: () => undefined },
    },
  });
}

/** Timers that were made since, and neither fired nor were cleared. */
function watchTimers(): { count(): number } {
  const alive = new Set<number>();
  const hook = createHook({
    init(id, type) {
      if (type === 'Timeout') alive.add(id);
    },
    destroy: (id) => void alive.delete(id),
  });
  hook.enable();
  onTestFinished(() => void hook.disable());
  return { count: () => alive.size };
}

test('a start that cannot listen leaves nothing running, and the home to whoever starts next', async () => {
  const other = createServer();
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  const home = await homeOn(port);

  const timers = watchTimers();
  await expect(appOf(home).start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  // Timers are told to be gone a turn of the loop later.
  await new Promise((resume) => setImmediate(resume));
  expect(timers.count()).toBe(0);

  await new Promise((closed) => other.close(closed));
  const next = appOf(home);
  try {
    expect(await next.start()).toMatchObject({ url: `http://127.0.0.1:${port}` });
  } finally {
    await next.stop();
  }
});
