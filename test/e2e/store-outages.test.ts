/** A fixed sample of `npm run torture:store`, small enough for the suite. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Arena, openArena } from '../torture/outages/arena.ts';
import { gather } from '../torture/outages/evidence.ts';
import { judge } from '../torture/outages/judgement.ts';
import { killsOf, newProgress, suffer } from '../torture/outages/ordeal.ts';

const SEED = 'suite';
const KILLS = 3;

it('blames no target, loses no transition and no result, and is one incident, however often PostgreSQL is killed', {
  timeout: 300_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-outages-'));
  let arena: Arena | undefined;
  // PostgreSQL runs as another user, below this folder.
  await chmod(folder, 0o755);
  try {
    arena = await openArena(folder);
    const limits = { kills: KILLS, untilMs: Number.POSITIVE_INFINITY };
    const progress = await suffer(arena, newProgress(SEED), limits, () => {});
    expect(killsOf(progress.outages)).toBeGreaterThanOrEqual(KILLS);
    const findings = judge(await gather(arena, progress));
    expect(findings.filter(({ violations }) => violations.length > 0)).toEqual([]);
    expect(findings.filter(({ checked }) => checked === 0).map(({ invariant }) => invariant)).toEqual([]);
  } finally {
    await arena?.close();
    await rm(folder, { recursive: true, force: true });
  }
});
