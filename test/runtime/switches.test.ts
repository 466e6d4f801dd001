import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSwitches, type Switches } from '../../src/runtime/switches.ts';
import { quietLog } from '../notifiers/alerts.ts';
import { type OpenedForTest, openTemporary } from '../store/sqlite.ts';
import { ownedClock } from './runtime-house.ts';

let opened: OpenedForTest;
let folder: string;
let file: string;
let changes: number;
let made: Switches[];

beforeEach(async () => {
  opened = await openTemporary();
  folder = await mkdtemp(join(tmpdir(), 'brainstem-switches-'));
  file = join(folder, 'FREEZE');
  [changes, made] = [0, []];
});
afterEach(async () => {
  for (const switches of made) switches.stop();
  await opened.dispose();
  await rm(folder, { recursive: true });
});

async function load(): Promise<Switches> {
  const switches = createSwitches({
    ...{ store: opened.store, clock: ownedClock(), log: quietLog, freezeFile: () => file },
    onChanged: () => {
      changes += 1;
    },
  });
  made.push(switches);
  await switches.load();
  return switches;
}

describe('freeze', () => {
  it('holds at once, survives a restart, and ends for a person who says so', async () => {
    const switches = await load();
    expect(switches.frozenNow()).toBeUndefined();
    await switches.freeze('ada', 'a deploy');
    expect(switches.frozenNow()).toMatchObject({ by: 'ada', why: 'a deploy' });
    const restarted = await load();
    expect(await restarted.frozen()).toMatchObject({ by: 'ada' });
    expect(await restarted.unfreeze('bob')).toBe(true);
    expect(await restarted.frozen()).toBeUndefined();
    expect((await opened.store.auditEntries({ limit: 10 })).map(({ actor, action }) => [actor, action])).toEqual([
      ['bob', 'unfreeze'],
      ['ada', 'freeze'],
    ]);
  });

  it('by a file is seen before every act, and within a second without one', async () => {
    const switches = await load();
    await writeFile(file, '');
    expect(await switches.frozen()).toMatchObject({ by: 'freeze file' });
    expect(await switches.unfreeze('ada')).toBe(false);
    await rm(file);
    const before = changes;
    await expect.poll(() => switches.frozenNow(), { timeout: 10_000 }).toBeUndefined();
    await expect.poll(() => changes, { timeout: 10_000 }).toBeGreaterThan(before);
  });

  it('fails closed: a file that cannot be looked at holds', async () => {
    await symlink(file, file);
    const switches = await load();
    expect(await switches.frozen()).toMatchObject({ by: 'freeze file', why: expect.stringContaining('ELOOP') });
  });

  it('is not looked for before it is known where', async () => {
    const switches = createSwitches({
      ...{ store: opened.store, clock: ownedClock(), log: quietLog, onChanged: () => undefined },
      freezeFile: () => {
        throw new Error('not yet');
      },
    });
    made.push(switches);
    // Longer than the pace at which it is looked for: an unhandled rejection would fail this suite.
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(switches.frozenNow()).toBeUndefined();
  });
});

describe('disarming', () => {
  it('is kept until a person arms it, once each', async () => {
    const switches = await load();
    await switches.disarm({ remediation: 'restart', at: 1, why: 'its limit is spent' });
    await switches.disarm({ remediation: 'restart', at: 2, why: 'again' });
    expect((await load()).disarmed()).toEqual([{ remediation: 'restart', at: 1, why: 'its limit is spent' }]);
    expect(await switches.arm('restart', 'ada')).toBe(true);
    expect(await switches.arm('restart', 'ada')).toBe(false);
    expect((await load()).disarmed()).toEqual([]);
  });
});
