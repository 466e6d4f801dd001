/** Debian's own blackbox_exporter, in the foreground, and its answers as series. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './daemon.ts';
import { serverProcess } from './server-process.ts';

export interface Exporter {
  readonly url: string;
  stop(): Promise<void>;
}

/** @param modules the text of its blackbox.yml. */
export async function startExporter(modules: string): Promise<Exporter> {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-exporter-'));
  const file = join(folder, 'blackbox.yml');
  await writeFile(file, modules);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = serverProcess({
    command: '/usr/bin/prometheus-blackbox-exporter',
    arguments: [`--config.file=${file}`, `--web.listen-address=127.0.0.1:${port}`],
    ready: async () => (await fetch(`${url}/-/healthy`)).ok,
  });
  await server.start();
  return {
    url,
    async stop() {
      await server.end('SIGTERM');
      await rm(folder, { recursive: true });
    },
  };
}

/** Values by series, as they are written: `name{label="value"}`. Labels stand in alphabetical order. */
export type Series = ReadonlyMap<string, number>;

function parseSeries(text: string): Series {
  const series = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match || line.startsWith('#')) continue;
    const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([label]) => label).sort();
    const name = labels.length === 0 ? `${match[1]}` : `${match[1]}{${labels.join(',')}}`;
    series.set(name, Number(match[3]));
  }
  return series;
}

export async function askProbe(
  url: string,
  parameters: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly text: string; readonly series: Series }> {
  const response = await fetch(`${url}/probe?${new URLSearchParams(parameters)}`, { headers });
  const text = await response.text();
  return { status: response.status, text, series: parseSeries(text) };
}
