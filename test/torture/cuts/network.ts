/**
 * A network namespace of the campaign's own: loopback, a hundred far addresses and a name server that nobody else can reach,
 * cut off and joined again by nftables. The campaign runs inside of it as a whole.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { serverProcess } from '../../estate/server-process.ts';

/** Tells a process that it runs inside. */
const INSIDE = 'BRAINSTEM_CUTS_NAMESPACE';
const FAR = '10.99.0.0/16';
export const NAME_SERVER = '10.99.0.53';
export const DOMAIN = 'cuts.test';

export type Cut = 'uplink' | 'dns';

export function isInside(): boolean {
  return process.env[INSIDE] !== undefined;
}

/** Runs this program again inside of a new namespace, which is gone afterwards; resolves to its exit code. */
export function runInside(): number {
  const name = `brainstem-cuts-${process.pid}`;
  execFileSync('ip', ['netns', 'add', name]);
  try {
    const command = ['netns', 'exec', name, process.execPath, ...process.execArgv, ...process.argv.slice(1)];
    const { status } = spawnSync('ip', command, { stdio: 'inherit', env: { ...process.env, [INSIDE]: name } });
    return status ?? 1;
  } finally {
    execFileSync('ip', ['netns', 'del', name]);
  }
}

/** Every address below 10.99.1.0/24 is this machine's, as is the name server's, which answers for every name of the domain. */
export async function openNetwork() {
  ip('link', 'set', 'lo', 'up');
  ip('addr', 'add', '10.99.1.1/24', 'dev', 'lo');
  ip('addr', 'add', `${NAME_SERVER}/32`, 'dev', 'lo');
  const names = serverProcess({
    command: 'dnsmasq',
    arguments: [
      ...['--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--pid-file='],
      ...[`--listen-address=${NAME_SERVER}`, '--bind-interfaces'],
      ...[`--address=/${DOMAIN}/10.99.1.1`, '--local-ttl=1'],
    ],
    ready: () => Promise.resolve(true),
  });
  await names.start();
  return {
    cut(what: Cut) {
      nft('add', 'table', 'ip', 'cut');
      nft('add', 'chain', 'ip', 'cut', 'output', '{ type filter hook output priority 0; }');
      const lost = what === 'uplink' ? ['ip', 'daddr', FAR] : ['udp', 'dport', '53'];
      nft('add', 'rule', 'ip', 'cut', 'output', ...lost, 'drop');
    },
    join: () => nft('delete', 'table', 'ip', 'cut'),
    close: () => names.end('SIGTERM'),
  };
}

function ip(...words: readonly string[]): void {
  execFileSync('ip', words);
}

function nft(...words: readonly string[]): void {
  execFileSync('nft', words);
}
