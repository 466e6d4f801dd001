/**
 * `npm run torture:store [-- --seed TEXT --kills N --minutes M --resume FILE]`: kills the PostgreSQL of a daemon again and again
 * under load, then checks that no target was blamed, and nothing was lost. Exit code: 0 when every invariant holds, 1 otherwise.
 *
 * It stops after M minutes, everything settled and checked so far, and says how to go on from there.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openArena } from './arena.ts';
import { gather } from './evidence.ts';
import { judge } from './judgement.ts';
import { killsOf, newProgress, type Progress, suffer } from './ordeal.ts';
import { report } from './report.ts';

const { values: given } = parseArgs({
  options: {
    seed: { type: 'string' },
    kills: { type: 'string', default: '60' },
    minutes: { type: 'string', default: '8' },
    resume: { type: 'string' },
  },
});

const untilMs = performance.now() + Number(given.minutes) * 60_000;
const kills = Number(given.kills);
const begun = given.resume === undefined ? newProgress(given.seed ?? randomUUID().slice(0, 8)) : read(given.resume);
const folder = resolve('.cache', 'torture-store', begun.seed);
const file = given.resume ?? join(folder, 'progress.json');
if (given.resume === undefined && existsSync(file)) {
  console.error(`seed ${begun.seed} was begun before: go on with --resume ${file}, or remove ${folder}`);
  process.exit(1);
}
mkdirSync(folder, { recursive: true });
console.log(`seed ${begun.seed}: ${kills} kills of PostgreSQL; the folder is ${folder}`);
process.exitCode = (await torture()) ? 0 : 1;

async function torture(): Promise<boolean> {
  const arena = await openArena(folder);
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void arena.close().then(() => process.exit(130)));
  try {
    const progress = await suffer(arena, begun, { kills, untilMs }, (count) => console.log(`${count} kills`));
    writeFileSync(file, JSON.stringify(progress, undefined, 2));
    const evidence = await gather(arena, progress);
    const findings = judge(evidence);
    console.log(report(evidence, findings));
    if (killsOf(progress.outages) < kills) console.log(`\nthe time is up: go on with --resume ${file}`);
    return findings.every(({ violations }) => violations.length === 0);
  } finally {
    await arena.close();
  }
}

function read(name: string): Progress {
  return JSON.parse(readFileSync(name, 'utf8')) as Progress;
}
