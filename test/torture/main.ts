/**
 * `npm run torture [-- --seed TEXT --kills N --minutes M --store sqlite|postgres --resume FILE]`: breaks services and kills the daemon at random, then
 * checks that nothing was lost and nothing was done twice. Exit code: 0 when every invariant holds, 1 otherwise.
 *
 * It stops after M minutes, everything healed and checked so far, and says how to go on from there.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Arena, openArena } from './arena.ts';
import { gather } from './evidence.ts';
import { type Finding, judge } from './judgement.ts';
import { newProgress, type Progress, settle, suffer } from './ordeal.ts';
import { report } from './report.ts';

const { values: given } = parseArgs({
  options: {
    seed: { type: 'string' },
    kills: { type: 'string', default: '100' },
    minutes: { type: 'string', default: '9' },
    store: { type: 'string', default: 'sqlite' },
    resume: { type: 'string' },
  },
});

const MINUTE_MS = 60_000;
/** Digests may wait a minute for their turn, and cooldowns double. */
const SETTLE_MS = 4 * MINUTE_MS;
const SLACK_BURST = 5;

const untilMs = performance.now() + Number(given.minutes) * MINUTE_MS;
const kills = Number(given.kills);
const begun = given.resume === undefined ? newProgress(given.seed ?? randomUUID().slice(0, 8)) : read(given.resume);
const folder = resolve('.cache', 'torture', begun.seed);
const store = storeOf(given.store);
const file = given.resume ?? join(folder, 'progress.json');
if (given.resume === undefined && existsSync(file)) {
  console.error(`seed ${begun.seed} was begun before: go on with --resume ${file}, or remove ${folder}`);
  process.exit(1);
}
mkdirSync(folder, { recursive: true });
console.log(`seed ${begun.seed}: ${kills} kills; the folder is ${folder}`);
process.exitCode = (await torture()) ? 0 : 1;

async function torture(): Promise<boolean> {
  const arena = await openArena({ folder, slackBurst: SLACK_BURST, store });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void giveUp(arena));
  try {
    const progress = await suffer(arena, begun, { kills, untilMs }, (now) => {
      write(now);
      if (now.kills % 10 === 0) console.log(`${now.kills} kills`);
    });
    const code = await settle(arena, SETTLE_MS);
    const ended = code === 0 ? progress : { ...progress, mishaps: [...progress.mishaps, `it stopped with ${code}`] };
    const evidence = await gather(arena, ended);
    const findings = judge(evidence);
    console.log(report(ended, evidence, findings));
    if (ended.kills < kills) console.log(`\nthe time is up: go on with --store ${store} --resume ${file}`);
    return findings.every(isKept);
  } finally {
    await arena.close();
  }
}

/** What was reached is on file after each kill: the services and the daemon are all there is to end. */
async function giveUp(arena: Arena): Promise<never> {
  await arena.close();
  console.log(`given up: go on with --resume ${file}`);
  process.exit(130);
}

function storeOf(text: string): 'sqlite' | 'postgres' {
  if (text === 'sqlite' || text === 'postgres') return text;
  console.error(`--store is sqlite or postgres, not ${text}`);
  process.exit(2);
}

function isKept({ violations }: Finding): boolean {
  return violations.length === 0;
}

function read(name: string): Progress {
  return JSON.parse(readFileSync(name, 'utf8')) as Progress;
}

function write(progress: Progress): void {
  writeFileSync(file, JSON.stringify(progress, undefined, 2));
}
