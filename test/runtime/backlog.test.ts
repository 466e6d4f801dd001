import { beforeEach, expect, it } from 'vitest';
import { RetryableError } from '../../src/errors.ts';
import type { Log } from '../../src/ports.ts';
import { type Backlog, createBacklog } from '../../src/runtime/backlog.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { gate } from './runtime-house.ts';

const away = () => new RetryableError('store_away', 'away');
const nothing = () => Promise.resolve();

let isAway: boolean;
let done: string[];
let errors: string[];
let backlog: Backlog;

beforeEach(() => {
  [isAway, done, errors] = [false, [], []];
  const log: Log = { ...quietLog, error: (event) => void errors.push(event) };
  backlog = createBacklog({ log, storeAway: () => isAway });
});

/** Fails while the store is away, and says how often it was tried before. */
const task = (key: string, name = key) => ({
  key,
  async write(again: boolean) {
    if (isAway) throw away();
    done.push(again ? `${name} again` : name);
    return name;
  },
});

it('writes at once, and returns what was written', async () => {
  expect(await backlog.write(task('one'))).toBe('one');
  expect(backlog.count()).toBe(0);
});

it('keeps what is asked for while the store is away, and writes it in order', async () => {
  isAway = true;
  for (const key of ['one', 'two', 'three']) expect(await backlog.write(task(key))).toBe('kept');
  await expect(backlog.drain()).rejects.toMatchObject({ code: 'store_away' });
  expect(backlog.count()).toBe(3);
  isAway = false;
  await backlog.drain();
  expect(done).toEqual(['one again', 'two again', 'three again']);
});

it('keeps what failed because the store has just gone', async () => {
  const failing = { key: 'one', write: (again: boolean) => (again ? nothing() : Promise.reject(away())) };
  expect(await backlog.write(failing)).toBe('kept');
  await backlog.drain();
  expect(backlog.count()).toBe(0);
});

it('passes on what else goes wrong', async () => {
  const broken = { key: 'one', write: () => Promise.reject(new Error('a bug')) };
  await expect(backlog.write(broken)).rejects.toThrow('a bug');
  expect(backlog.count()).toBe(0);
});

it('writes only the newest of a key, in the place of the first', async () => {
  isAway = true;
  await backlog.write(task('one', 'old'));
  await backlog.write(task('two'));
  await backlog.write(task('one', 'new'));
  isAway = false;
  await backlog.drain();
  expect(done).toEqual(['new again', 'two again']);
});

it('lets nobody wait for an answer that does not come, and writes again only after that try has ended', async () => {
  const answer = gate<void>();
  const tries: boolean[] = [];
  const written = backlog.write({
    key: 'one',
    write(again) {
      tries.push(again);
      return again ? nothing() : answer.promise;
    },
  });
  backlog.release();
  expect(await written).toBe('kept');
  const drained = backlog.drain();
  await new Promise((resume) => setImmediate(resume));
  expect(tries).toEqual([false]);
  answer.open();
  await drained;
  expect(tries).toEqual([false, true]);
});

it('does not wait for what comes while it writes', async () => {
  isAway = true;
  await backlog.write({ key: 'one', write: async () => void (await backlog.write(task('late'))) });
  await backlog.drain();
  expect([done, backlog.count()]).toEqual([[], 1]);
});

it('gives up a task that breaks, says so, and goes on with the next', async () => {
  isAway = true;
  await backlog.write({ key: 'broken', write: () => Promise.reject(new Error('a bug')) });
  await backlog.write(task('next'));
  isAway = false;
  await backlog.drain();
  expect([done, errors, backlog.count()]).toEqual([['next again'], ['kept_write_failed'], 0]);
});

it('writes nothing before an earlier task of its line that still waits, though the store is back', async () => {
  isAway = true;
  await backlog.write({ ...task('first'), line: 'web' });
  isAway = false;
  expect(await backlog.write({ ...task('second'), line: 'web' })).toBe('kept');
  expect(await backlog.write({ ...task('other'), line: 'mail' })).toBe('other');
  await backlog.drain();
  await backlog.drain();
  expect(done).toEqual(['other', 'first again', 'second again']);
  expect(await backlog.write({ ...task('third'), line: 'web' })).toBe('third');
});
