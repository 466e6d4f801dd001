/** A real Prometheus with the configuration of this repository, but for its port and its patience: it scrapes every second. */
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort } from './daemon.ts';
import { serverProcess } from './server-process.ts';

const REPOSITORY = resolve(import.meta.dirname, '../..');

/** One series of an instant query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [at: number, value: string];
}

export interface Prometheus {
  readonly url: string;
  /** As of now. Throws what Prometheus says of an expression that it does not take. */
  query(expression: string): Promise<readonly Sample[]>;
  /** Series within the last five minutes, a point each second. */
  queryRange(expression: string): Promise<readonly Pick<Sample, 'metric'>[]>;
  /** Values of a label of the series that match. */
  labelValues(label: string, match: string): Promise<readonly string[]>;
  stop(): Promise<void>;
}

const RANGE_SECONDS = 300;

export async function startPrometheus(daemonPort: number): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-prometheus-'));
  const written = await readFile(join(REPOSITORY, 'prometheus.yml'), 'utf8');
  const moved = written.replace('127.0.0.1:9911', `127.0.0.1:${daemonPort}`).replaceAll('15s', '1s');
  await writeFile(join(folder, 'prometheus.yml'), moved);
  await copyFile(join(REPOSITORY, 'prometheus.rules.yml'), join(folder, 'prometheus.rules.yml'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = serverProcess({
    command: '/usr/bin/prometheus',
    arguments: [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    ready: async () => (await fetch(`${url}/-/ready`)).ok,
  });

  async function ask<T>(path: string, parameters: Readonly<Record<string, string>>): Promise<T> {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { data, error } = (await response.json()) as { data: T; error?: string };
    if (error !== undefined) throw new Error(`${JSON.stringify(parameters)}: ${error}`);
    return data;
  }

  const prometheus: Prometheus = {
    url,
    query: async (query) => (await ask<{ result: Sample[] }>('query', { query })).result,
    async queryRange(query) {
      const end = Date.now() / 1_000;
      const times = { start: String(end - RANGE_SECONDS), end: String(end), step: '1' };
      return (await ask<{ result: Sample[] }>('query_range', { query, ...times })).result;
    },
    labelValues: (label, match) => ask(`label/${label}/values`, { 'match[]': match }),
    async stop() {
      await server.end('SIGKILL');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await server.start();
    return prometheus;
  } catch (error) {
    await prometheus.stop();
    throw error;
  }
}
