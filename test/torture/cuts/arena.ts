/** Two hundred far targets, half of them by name, two vantage probes, a fix that only takes notes, and the daemon. */
import { chmod, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Daemon, freePort, homeAt, startDaemon } from '../../estate/daemon.ts';
import { type Receiver, startReceiver } from '../../estate/receiver.ts';
import { DOMAIN, NAME_SERVER, openNetwork } from './network.ts';

const HALF = 100;
const BY_ADDRESS = Array.from({ length: HALF }, (_, index) => `address-${index}`);
const BY_NAME = Array.from({ length: HALF }, (_, index) => `name-${index}`);
export const TARGETS: readonly string[] = [...BY_ADDRESS, ...BY_NAME];
export const VANTAGE = ['north', 'south'];

export interface Arena {
  readonly network: Awaited<ReturnType<typeof openNetwork>>;
  readonly bus: Receiver;
  readonly daemon: Daemon;
  /** It swallows requests from now on. */
  hang(target: string, on: boolean): void;
  /** Targets whose fix has run, a line for each run. */
  fixes(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openArena(folder: string): Promise<Arena> {
  const network = await openNetwork();
  const hung = new Set<string>();
  const server = createServer(({ url = '' }, response) => {
    if (!hung.has(url.slice(1))) response.end('well');
  }).listen(0, '0.0.0.0');
  const bus = await startReceiver({ journal: join(folder, 'bus.jsonl') });
  const home = homeAt(join(folder, 'home'));
  const { port } = server.address() as AddressInfo;
  await home.write({
    'brainstem.yml': SETTINGS,
    'probes/targets.yaml': `defaults: { every: 3s, timeout: 3s, fail_after: 2, recover_after: 1, relapse: 1s }\nprobes:\n${[
      ...[...VANTAGE, ...BY_NAME].map((name) => byName(name, port)),
      ...BY_ADDRESS.map((name, index) => byAddress(name, index, port)),
    ].join('')}`,
    'remediations/note.yaml': REMEDIATION,
    'remediations/note.sh': NOTE,
  });
  await chmod(join(home.path, 'remediations/note.sh'), 0o755);
  const daemon = await startDaemon({ home, port: await freePort(), environment: { BUS_URL: bus.url } });
  return {
    ...{ network, bus, daemon },
    hang(target, on) {
      if (on) hung.add(target);
      else hung.delete(target);
    },
    async fixes() {
      const text = await readFile(join(home.path, 'remediations/noted'), 'utf8').catch(() => '');
      return text.split('\n').filter((line) => line !== '');
    },
    async close() {
      await daemon.kill();
      await bus.close();
      server.closeAllConnections();
      server.close();
      await network.close();
    },
  };
}

const SETTINGS = `
http: { listen: "\${LISTEN}" }
healing: { budget: 10000 in 1h, vantage: [${VANTAGE.join(', ')}] }
alerts: { flapping: 1000 in 10m }
notifiers: { bus: { burst: 1000, webhook: { url: "\${BUS_URL}" } } }
`;

/** It heals nothing: what hangs is mended by the campaign. */
const REMEDIATION = `remediations:
  - { name: note, exec: { argv: [./note.sh] }, verify_within: 1s, cooldown: 0s, limit: 10000 in 1h }
`;

const NOTE = `#!/bin/sh
sed -n 's/.*"subject": *"\\([^"]*\\)".*/\\1/p' | head -n 1 >>noted
`;

function byName(name: string, port: number): string {
  const http = { url: `http://${name}.${DOMAIN}:${port}/${name}`, resolver: `${NAME_SERVER}:53` };
  return entry(name, http);
}

function byAddress(name: string, index: number, port: number): string {
  return entry(name, { url: `http://10.99.1.${index + 2}:${port}/${name}` });
}

function entry(name: string, http: object): string {
  const ladder = VANTAGE.includes(name) ? '' : ', remediate: [{ try: [note] }]';
  return `  - { name: ${name}, http: ${JSON.stringify(http)}${ladder} }\n`;
}
