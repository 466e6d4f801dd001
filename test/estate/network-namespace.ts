/** A network namespace with nothing but loopback, where packets are lost by rule. Deleted when the test ends. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { onTestFinished } from 'vitest';

const run = promisify(execFile);

/** @param rules of nftables for packets that come in, such as `ip daddr 127.0.0.9 drop`. */
export async function createNamespace(...rules: string[]): Promise<string> {
  const name = `brainstem-${randomUUID().slice(0, 8)}`;
  await run('ip', ['netns', 'add', name]);
  onTestFinished(async () => {
    await run('ip', ['netns', 'del', name]);
  });
  const inside = (...argv: string[]) => run('ip', ['netns', 'exec', name, ...argv]);
  await inside('ip', 'link', 'set', 'lo', 'up');
  await inside('nft', 'add table inet faults');
  await inside('nft', 'add chain inet faults input { type filter hook input priority 0 ; }');
  for (const rule of rules) await inside('nft', `add rule inet faults input ${rule}`);
  return name;
}
