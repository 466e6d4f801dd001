/** The peers: programs of Debian's packages, on loopback, in folders of their own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, until } from '../../test/estate/daemon.ts';
import type { Cleanup } from './cleanups.ts';

type Later = (cleanup: Cleanup) => void;

export interface Server {
  readonly pid: number;
  readonly url: string;
}

/** Prometheus that asks blackbox_exporter about each of these URLs; both ready. */
export async function startBlackboxProbing(urls: readonly string[], every: string, later: Later) {
  const folder = await makeFolder(later);
  const { blackbox, job } = await startBlackbox(folder, urls, every, later);
  return { blackbox, prometheus: await startPrometheus(folder, { scrape_configs: [job] }, later) };
}

/** The same for one URL once a second, with an alert that fires as soon as a rule sees a failed probe. */
export async function startBlackboxAlerting(url: string, later: Later): Promise<Server> {
  const folder = await makeFolder(later);
  const { job } = await startBlackbox(folder, [url], '1s', later);
  const rules = join(folder, 'rules.yml');
  const rule = { alert: 'Down', expr: 'probe_success == 0', for: '0s' };
  await writeFile(rules, JSON.stringify({ groups: [{ name: 'probes', interval: '1s', rules: [rule] }] }));
  return startPrometheus(folder, { rule_files: [rules], scrape_configs: [job] }, later);
}

async function startBlackbox(folder: string, urls: readonly string[], every: string, later: Later) {
  const modules = join(folder, 'blackbox.yml');
  await writeFile(modules, 'modules: { http_2xx: { prober: http, http: { preferred_ip_protocol: ip4 } } }\n');
  const blackbox = await startExporter([`--config.file=${modules}`], 'prometheus-blackbox-exporter', '/metrics', later);
  const job = {
    job_name: 'probes',
    ...{ scrape_interval: every, scrape_timeout: every, metrics_path: '/probe', params: { module: ['http_2xx'] } },
    static_configs: [{ targets: urls }],
    relabel_configs: [
      { source_labels: ['__address__'], target_label: '__param_target' },
      { source_labels: ['__param_target'], target_label: 'instance' },
      { target_label: '__address__', replacement: new URL(blackbox.url).host },
    ],
  };
  return { blackbox, job };
}

async function startPrometheus(folder: string, configuration: object, later: Later): Promise<Server> {
  const file = join(folder, 'prometheus.yml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify(configuration));
  const flags = [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`];
  return startExporter(flags, 'prometheus', '/-/ready', later);
}

function startExporter(flags: readonly string[], program: string, readyPath: string, later: Later): Promise<Server> {
  const all = (address: string) => [...flags, `--web.listen-address=${address}`, '--log.level=error'];
  return startServer(program, all, readyPath, later);
}

export async function makeFolder(later: Later): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-peers-'));
  later(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** A server that is told its address by `flags`; ready once `readyPath` answers well. */
export async function startServer(
  program: string,
  flags: (address: string) => readonly string[],
  readyPath: string,
  later: Later,
): Promise<Server> {
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(program, flags(address), { stdio: 'ignore' });
  const exited = once(child, 'exit');
  later(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  });
  const url = `http://${address}`;
  await until(async () => (await fetch(url + readyPath)).ok, {
    what: `${program} to be ready`,
    giveUp: () => child.exitCode !== null && `it exited with ${child.exitCode}`,
  });
  return { pid: child.pid ?? 0, url };
}
