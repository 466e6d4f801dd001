/** A fixed sample of `npm run torture -- --store cluster`, small enough for the suite. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Arena, openArena } from '../torture/arena.ts';
import { gather } from '../torture/evidence.ts';
import { judge } from '../torture/judgement.ts';
import { newProgress, settle, suffer } from '../torture/ordeal.ts';

const SEED = 'suite';
const KILLS = 6;

it('takes over in time, loses no incident and no alert, and runs no fix twice, however often the brain is killed', {
  timeout: 300_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-cluster-'));
  let arena: Arena | undefined;
  // PostgreSQL runs as another user, below this folder.
  await chmod(folder, 0o755);
  try {
    arena = await openArena({ folder, slackBurst: 1_000, store: 'cluster' });
    const limits = { kills: KILLS, untilMs: Number.POSITIVE_INFINITY };
    const progress = await suffer(arena, newProgress(SEED), limits, () => {});
    expect(await settle(arena, 200_000)).toBe(0);
    expect(progress.takeoversMs.length).toBeGreaterThan(0);
    const evidence = await gather(arena, progress);
    expect(judge(evidence).filter(({ violations }) => violations.length > 0)).toEqual([]);
  } finally {
    await arena?.close();
    await rm(folder, { recursive: true, force: true });
  }
});
