/** The estate's own definitions on a real Prometheus, ping, a syslog server, and the programs of this machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { freePort } from '../estate/daemon.ts';
import { isOver, untilAllUp, untilStory } from '../estate/docker-scene.ts';
import { type OwnEstate, startOwnEstate } from '../estate/own-estate.ts';
import { type ServerProcess, serverProcess } from '../estate/server-process.ts';
import { type SyslogServer, startSyslogServer } from '../estate/syslog-server.ts';

let estate: OwnEstate | undefined;
let folder = '';
let prometheus: ServerProcess | undefined;
let worker: ChildProcess | undefined;
let papertrail: SyslogServer | undefined;

afterEach(async () => {
  await estate?.close();
  worker?.kill('SIGKILL');
  await papertrail?.stop();
  await prometheus?.end('SIGTERM');
  if (folder !== '') await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** Two series for one label: what a rule gives that was right until somebody added a target. */
const BROKEN_RULE =
  '{ groups: [{ name: broken, interval: 1s, rules: [{ record: x, expr: "up * on () up offset 0s" }] }] }';

async function configure(port: number, more: { readonly dead?: number; readonly rules?: boolean } = {}) {
  const targets = [port, ...(more.dead === undefined ? [] : [more.dead])].map((each) => `"127.0.0.1:${each}"`);
  const scrape = `scrape_configs: [{ job_name: all, static_configs: [{ targets: [${targets.join(', ')}] }] }]`;
  const rules = more.rules ? `, rule_files: ["${join(folder, 'rules.yml')}"]` : '';
  const every = '{ scrape_interval: 1s, evaluation_interval: 1s }';
  await writeFile(join(folder, 'prometheus.yml'), `{ global: ${every}, ${scrape}${rules} }`);
}

async function start(port: number): Promise<ServerProcess> {
  folder = await mkdtemp(join(tmpdir(), 'prometheus-'));
  await writeFile(join(folder, 'rules.yml'), BROKEN_RULE);
  await configure(port);
  const server = serverProcess({
    command: '/usr/bin/prometheus',
    arguments: [
      ...[`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`],
      ...[`--web.listen-address=127.0.0.1:${port}`, '--web.enable-lifecycle'],
    ],
    ready: async () => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok,
  });
  await server.start();
  return server;
}

it('what Prometheus sees and does, the uplink and a program are up, and each fault is an incident', {
  timeout: 240_000,
}, async () => {
  const port = await freePort();
  prometheus = await start(port);
  const url = `http://127.0.0.1:${port}`;
  const mark = `estate-worker-${port}`;
  worker = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', mark], { stdio: 'ignore' });
  papertrail = await startSyslogServer({ protocol: 'tcp' });
  estate = await startOwnEstate({
    ...{ PROMETHEUS_URL: url, UPLINK_HOST: '127.0.0.1', HOST_PROCESS_PATTERN: mark },
    ...{ PAPERTRAIL_HOST: '127.0.0.1', PAPERTRAIL_PORT: String(papertrail.port), PAPERTRAIL_PROTOCOL: 'tcp' },
  });
  const { daemon } = estate;
  const scraping = ['prometheus-ready', 'prometheus-scrapes', 'prometheus-targets', 'prometheus-rules'];
  await untilAllUp(daemon, [...scraping, 'uplink-ping', 'host-process', 'papertrail']);

  worker.kill('SIGKILL');
  expect((await untilStory(daemon, 'host-process', 'open', () => true)).severity).toBe('critical');
  await papertrail.stop();
  await untilStory(daemon, 'papertrail', 'open', () => true);

  await configure(port, { dead: await freePort(), rules: true });
  await fetch(`${url}/-/reload`, { method: 'POST' });
  await untilStory(daemon, 'prometheus-targets', 'open', () => true);
  await untilStory(daemon, 'prometheus-rules', 'open', () => true);
  await configure(port);
  await fetch(`${url}/-/reload`, { method: 'POST' });
  await untilStory(daemon, 'prometheus-targets', 'over', isOver);
});
