/** A real Prometheus that asks `/probe` by the configuration of docs/blackbox.md, and rules that were written for the exporter. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { askProbe } from '../estate/blackbox-exporter.ts';
import { createHome, freePort, startDaemon, until } from '../estate/daemon.ts';
import { serveHttp } from '../estate/hostile-network.ts';
import { serverProcess } from '../estate/server-process.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/blackbox.md'), 'utf8');

/** The block of the page that begins with the name of this file. */
function shown(file: string): string {
  const [, text = ''] = new RegExp(`\`\`\`yaml\\n# ${file}\\n([\\s\\S]*?)\`\`\``).exec(PAGE) ?? [];
  expect(text).not.toBe('');
  return text;
}

test('Prometheus sees what the page promises', async () => {
  const { port: healthy } = await serveHttp((_request, response) => response.end('ok'));
  const home = await createHome({
    'brainstem.yml': 'http: { listen: "${LISTEN}" }\n',
    'blackbox.yml': shown('blackbox.yml'),
  });
  const daemon = await startDaemon({ home });
  onTestFinished(async () => {
    await daemon.stop();
    await home.remove();
  });
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-prometheus-'));
  const written = shown('prometheus.yml')
    .replace('127.0.0.1:9911', new URL(daemon.url).host)
    .replace('127.0.0.1:8080', `127.0.0.1:${healthy}`);
  await writeFile(join(folder, 'prometheus.yml'), `global: { scrape_interval: 1s, scrape_timeout: 1s }\n${written}`);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const prometheus = serverProcess({
    command: '/usr/bin/prometheus',
    arguments: [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    ready: async () => (await fetch(`${url}/-/ready`)).ok,
  });
  onTestFinished(async () => {
    await prometheus.end('SIGTERM');
    await rm(folder, { recursive: true });
  });
  await prometheus.start();
  const query = `probe_success == 1 and probe_http_status_code == 200`;
  const seen = await until(
    async () => {
      const answer = await fetch(`${url}/api/v1/query?${new URLSearchParams({ query })}`);
      const { data } = (await answer.json()) as { data: { result: { metric: Record<string, string> }[] } };
      return data.result[0]?.metric;
    },
    { what: 'a scrape' },
  );
  const { text } = await askProbe(daemon.url, { target: `http://127.0.0.1:${healthy}/` });
  const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
  expect(checked).toMatchObject({ status: 0, stdout: '', stderr: '' });
  expect(seen).toMatchObject({ job: 'web', instance: `http://127.0.0.1:${healthy}/health` });
});
