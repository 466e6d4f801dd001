/**
 * `npm run torture:cuts [-- --seed TEXT --cuts N --minutes M --resume FILE]`: cuts DNS or the uplink of a daemon with 200 targets
 * again and again, in a network namespace of its own, then checks that no target was blamed. Exit code: 0 when every invariant
 * holds, 1 otherwise. Needs root, iproute2, nftables and dnsmasq.
 *
 * It stops after M minutes, everything well and checked so far, and says how to go on from there.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openArena } from './arena.ts';
import { type Evidence, type Finding, judge } from './judgement.ts';
import { isInside, runInside } from './network.ts';
import { type Progress, suffer } from './ordeal.ts';

const { values: given } = parseArgs({
  options: {
    seed: { type: 'string' },
    cuts: { type: 'string', default: '50' },
    minutes: { type: 'string', default: '8' },
    resume: { type: 'string' },
  },
});

/** The account of the whole campaign so far. */
interface Account extends Progress {
  readonly fixes: readonly string[];
  readonly deliveries: Evidence['deliveries'];
}

process.exitCode = isInside() ? await torture() : runInside();

async function torture(): Promise<number> {
  const cuts = Number(given.cuts);
  const untilMs = performance.now() + Number(given.minutes) * 60_000;
  const begun: Account =
    given.resume === undefined ? fresh(given.seed ?? randomUUID().slice(0, 8)) : read(given.resume);
  const folder = resolve('.cache', 'torture-cuts', begun.seed);
  const file = given.resume ?? join(folder, 'progress.json');
  if (given.resume === undefined && existsSync(file)) {
    console.error(`seed ${begun.seed} was begun before: go on with --resume ${file}, or remove ${folder}`);
    return 1;
  }
  mkdirSync(folder, { recursive: true });
  console.log(`seed ${begun.seed}: ${cuts} cuts; the folder is ${folder}`);
  const arena = await openArena(folder);
  try {
    const progress = await suffer(arena, begun, { cuts, untilMs }, (count) => console.log(`${count} cuts`));
    const account = { ...progress, fixes: await arena.fixes(), deliveries: arena.bus.deliveries() };
    writeFileSync(file, JSON.stringify(account));
    const findings = judge({ progress, fixes: account.fixes, deliveries: account.deliveries });
    console.log(report(progress, findings));
    if (progress.cuts.length < cuts) console.log(`\nthe time is up: go on with --resume ${file}`);
    return findings.every(({ violations }) => violations.length === 0) ? 0 : 1;
  } finally {
    await arena.close();
  }
}

function fresh(seed: string): Account {
  return { seed, cuts: [], outages: [], fixes: [], deliveries: [] };
}

function read(file: string): Account {
  return JSON.parse(readFileSync(file, 'utf8')) as Account;
}

function report({ seed, cuts, outages }: Progress, findings: readonly Finding[]): string {
  const count = (what: string) => cuts.filter((cut) => cut.what === what).length;
  const noticed = cuts.map((cut) => cut.noticed - cut.from).sort((one, other) => one - other);
  const at = (share: number) => ((noticed[Math.ceil(share * noticed.length) - 1] ?? 0) / 1_000).toFixed(1);
  const rows = findings.map(({ rule, looked, violations }) => {
    const verdict = violations.length === 0 ? 'holds' : `BROKEN\n  ${violations.slice(0, 20).join('\n  ')}`;
    return `${rule.padEnd(44)}${String(looked).padStart(6)}  ${verdict}`;
  });
  return [
    `seed ${seed}: ${cuts.length} cuts (${count('uplink')} of the uplink, ${count('dns')} of DNS), ${outages.length} true outages`,
    `blind after ${at(0.5)} s in the median, ${at(1)} s at most`,
    '',
    ...rows,
  ].join('\n');
}
