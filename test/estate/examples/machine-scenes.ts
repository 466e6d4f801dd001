/** Scenes of what runs on the machine itself. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { until } from '../daemon.ts';
import { IMAGE, startDockerd } from '../dockerd.ts';
import { startSupervisord } from '../supervisord.ts';
import { bootUnits } from '../units.ts';
import type { Later, SetScene } from './scenery.ts';

/** The example is true on every machine that is well. */
export const asItIs: SetScene = async () => ({});

const MODULE = `import { readdir } from 'node:fs/promises';
import { defineProbe } from 'brainstem';

export default defineProbe({
  fields: { waiting: { type: 'double', unit: 'files', summary: 'Files that nobody has fetched yet' } },
  async run({ options }) {
    return { waiting: (await readdir(String(options['directory']))).length };
  },
});
`;

export const customScene: SetScene = async (later) => {
  const folder = await mkdtemp(join(tmpdir(), 'spool-'));
  later(() => rm(folder, { recursive: true }));
  return { moved: [['/var/spool/app', folder]], files: { 'probes/queue.ts': MODULE } };
};

export const environmentScene: SetScene = async () => ({
  files: { 'credentials.yaml': 'variables:\n  - { name: SHOP_URL, owner: shop, needed_by: [shop] }\n' },
  environment: { SHOP_URL: 'http://127.0.0.1:8080' },
});

export const dockerScene: SetScene = async (later) => {
  const engine = await startDockerd();
  later(engine.stop);
  await engine.run('run', '-d', '--name', 'web', '--network', 'none', IMAGE, '/bin/sleep', '1000');
  return { moved: [['container: web', `container: web, socket: "${engine.socket}"`]] };
};

/** Two that are called like workers of Celery, of whoever runs this. */
export const processScene: SetScene = async (later) => {
  for (const name of ['one', 'two']) await startWorker(`celery -A shop worker -n ${name}`, later);
  return { moved: [['user: deploy', `user: ${userInfo().username}`]] };
};

/** No child of ours, which the probe would not count: started by a shell that has gone, as a service is. */
async function startWorker(calledLike: string, later: Later): Promise<void> {
  const start = 'setsid /bin/bash -c \'exec -a "$0" sleep 1000\' "$1" </dev/null >/dev/null 2>&1 & echo $!';
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', start, 'sh', calledLike]);
  const pid = Number(stdout);
  const runs = async () => (await readFile(`/proc/${pid}/cmdline`, 'utf8')).startsWith(`${calledLike}\0`);
  later(async () => void ((await runs()) && process.kill(pid, 'SIGKILL')));
  await until(runs, { what: `${calledLike} to run` });
}

export const supervisorScene: SetScene = async (later) => {
  const server = await startSupervisord({ worker: ['command=sleep 1000', 'startsecs=1'] });
  later(server.stop);
  // It has run for longer than the example asks for.
  await new Promise((resume) => setTimeout(resume, 3_000));
  return { moved: [['http://127.0.0.1:9001', server.url]] };
};

export const systemdScene: SetScene = async (later) => {
  const units = await bootUnits();
  later(units.stop);
  await units.define('ssh.service', ['ExecStart=/bin/sleep 1000']);
  await units.control('start', 'ssh');
  return { moved: [['unit: ssh', `unit: ssh, systemctl: ${JSON.stringify(units.systemctl)}`]] };
};
