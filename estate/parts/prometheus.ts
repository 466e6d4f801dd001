/** Prometheus with this repository's configuration and rules: it scrapes the daemon. */
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { freePort } from '../../test/estate/daemon.ts';
import type { Server } from '../engine.ts';
import { type Ground, given, type Part, type StartedPart } from '../part.ts';

const ROOT = resolve(import.meta.dirname, '../..');

export interface Prometheus extends StartedPart {
  readonly server: Server;
  readonly url: string;
}

async function start({ engine, folder: home, daemonPort }: Ground): Promise<Prometheus> {
  const folder = join(home, 'prometheus');
  await mkdir(folder);
  const written = await readFile(join(ROOT, 'prometheus.yml'), 'utf8');
  const moved = written.replace('127.0.0.1:9911', `127.0.0.1:${daemonPort}`).replaceAll('15s', '2s');
  await writeFile(join(folder, 'prometheus.yml'), moved);
  await copyFile(join(ROOT, 'prometheus.rules.yml'), join(folder, 'prometheus.rules.yml'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await engine.run({
    name: 'estate-prometheus',
    argv: [
      ...(['/usr/bin/prometheus', `--config.file=${join(folder, 'prometheus.yml')}`] as const),
      ...[`--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`],
    ],
    folders: [folder],
    ready: async () => (await fetch(`${url}/-/ready`)).ok,
  });
  return {
    ...{ server, url },
    environment: given({ PROMETHEUS_CONTAINER: server.container, PROMETHEUS_URL: url }),
    stop: () => server.stop(),
  };
}

export const prometheus: Part<Prometheus> = {
  summary: 'Prometheus, which scrapes the daemon',
  needs: { prometheus: '/usr/bin/prometheus' },
  start,
};
