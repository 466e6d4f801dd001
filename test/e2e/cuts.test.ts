/** A fixed sample of `npm run torture:cuts`, small enough for the suite. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const SEED = `suite-${process.pid}`;

it('blames no target for a cut of DNS or of the uplink, tells of it once, and finds the true outage in between', {
  timeout: 300_000,
}, async () => {
  const folder = resolve('.cache/torture-cuts', SEED);
  try {
    const program = resolve('test/torture/cuts/main.ts');
    const flags = ['--import', 'jiti/register', program, '--seed', SEED, '--cuts', '5', '--minutes', '4'];
    const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const [code] = await once(child, 'exit');
    expect(code, said).toBe(0);
    expect(said).toMatch(/5 cuts .*, 1 true outages/);
    expect(said).toMatch(/each cut is told once, and its end once +5 {2}holds/);
  } finally {
    await rm(join(folder), { recursive: true, force: true });
  }
});
