/**
 * From a kill to the start of its fix, at random phases of a probe that runs every second, beside Prometheus and
 * blackbox_exporter with a scrape a second, until the alert fires. The re-ask before the act is included. And from the kill of
 * a container, which the engine tells at once.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createHome, type Daemon, freePort, type Home, startDaemon, until } from '../../test/estate/daemon.ts';
import { IMAGE, startDockerd } from '../../test/estate/dockerd.ts';
import { serverProcess } from '../../test/estate/server-process.ts';
import type { Figure, Scenario } from '../figure.ts';
import { type Cleanup, withCleanups } from '../parts/cleanups.ts';
import { type Server, startBlackboxAlerting } from '../parts/peers.ts';
import { median } from '../parts/statistics.ts';
import { asInstalled } from '../parts/watched-home.ts';

type Later = (cleanup: Cleanup) => void;

const runFile = promisify(execFile);
const KILLS = 30;
/** Of Prometheus. */
const LIVES = 5;
const EVERY_MS = 1_000;
const WEB =
  "require('node:http').createServer((_, response) => response.end('well')).listen(Number(process.argv[1]), '127.0.0.1')";

export const healing: Scenario = {
  name: 'healing',
  summary: `${KILLS} kills of a service and of a container: until its fix starts`,
  async run(say) {
    say('a service');
    const service = await withCleanups((later) => killServices(later));
    say('a container');
    const container = await withCleanups((later) => killContainers(later));
    return [
      {
        name: 'kill until the fix starts, probe every 1 s, median',
        value: median(service.map(({ ours }) => ours)),
        unit: 'ms',
        peer: {
          name: 'alert of Prometheus + blackbox_exporter fires',
          value: median(service.map(({ theirs }) => theirs)),
        },
        ratio: median(service.map(({ ours }) => ours)) / median(service.map(({ theirs }) => theirs)),
        ...{ most: 0.75, isRatio: true },
      },
      { name: 'kill of a container until the fix starts, median', value: median(container), unit: 'ms', most: 300 },
    ] satisfies Figure[];
  },
};

/** Two services of the same kind, killed in the same moment: one is ours to watch, one is theirs. */
async function killServices(later: Later): Promise<{ ours: number; theirs: number }[]> {
  const [ours, theirs] = [await startWeb(later), await startWeb(later)];
  const home = await homeFor(`http: { url: "${ours.url}" }`, later);
  const daemon = await start(home, later);
  const measured: { ours: number; theirs: number }[] = [];
  // How far apart Prometheus scrapes and evaluates rules is decided at its start, and decides half of its time.
  for (let life = 1; life <= LIVES; life += 1) {
    await withCleanups(async (after) => {
      const prometheus = await startBlackboxAlerting(theirs.url, after);
      for (let kill = 1; kill <= KILLS / LIVES; kill += 1) {
        measured.push(await killBoth({ ours, theirs, home, daemon, prometheus }, measured.length + 1));
      }
    });
  }
  return measured;
}

interface Rivals {
  readonly ours: Web;
  readonly theirs: Web;
  readonly home: Home;
  readonly daemon: Daemon;
  readonly prometheus: Server;
}

async function killBoth({ ours, theirs, home, daemon, prometheus }: Rivals, count: number) {
  await Promise.all([isWell(daemon), until(async () => !(await isFiring(prometheus)), { what: 'no alert' })]);
  await sleep(EVERY_MS + Math.random() * EVERY_MS);
  const killedAt = Date.now();
  await Promise.all([ours.end('SIGKILL'), theirs.end('SIGKILL')]);
  const [fixed, firing] = await Promise.all([fixStarted(home, count), firingAt(prometheus)]);
  await Promise.all([ours.start(), theirs.start()]);
  return { ours: fixed - killedAt, theirs: firing - killedAt };
}

async function killContainers(later: Later): Promise<number[]> {
  const dockerd = await startDockerd();
  later(() => dockerd.stop());
  await dockerd.run('run', '-d', '--name', 'web', '--network', 'host', IMAGE, 'sleep', '3600');
  const home = await homeFor(`docker: { container: web, socket: "${dockerd.socket}" }`, later);
  const daemon = await start(home, later);
  const measured: number[] = [];
  for (let kill = 1; kill <= KILLS; kill += 1) {
    await isWell(daemon);
    await sleep(EVERY_MS + Math.random() * EVERY_MS);
    const pid = await dockerd.run('inspect', '--format', '{{.State.Pid}}', 'web');
    const killedAt = Date.now();
    process.kill(Number(pid), 'SIGKILL');
    measured.push((await fixStarted(home, kill)) - killedAt);
    await dockerd.run('start', 'web');
  }
  return measured;
}

interface Web {
  readonly url: string;
  start(): Promise<void>;
  end(signal: NodeJS.Signals): Promise<void>;
}

async function startWeb(later: Later): Promise<Web> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  const web = serverProcess({
    ...{ command: process.execPath, arguments: ['-e', WEB, String(port)] },
    ready: async () => (await fetch(url)).ok,
  });
  later(() => web.end('SIGKILL'));
  await web.start();
  return { url, start: web.start, end: web.end };
}

/** The fix notes when it began; what it has to mend is mended by us afterwards. */
async function homeFor(target: string, later: Later): Promise<Home> {
  const home = await createHome({
    'brainstem.yml': 'http: { listen: "${LISTEN}" }\nhealing: { budget: 1000 in 10m }\n',
    'probes/bench.yaml': `probes:
  - name: web
    ${target}
    every: ${EVERY_MS}ms
    fail_after: 1
    recover_after: 1
    relapse: 1ms
    remediate: [{ try: [fix] }]
`,
    'remediations/bench.yaml': `remediations:
  - { name: fix, exec: { argv: [./fix.sh] }, settle: 0s, verify_within: 1m, cooldown: 0s, limit: 1000 in 1h }
`,
    'remediations/fix.sh': '#!/bin/sh\ndate +%s%N >>started\n',
  });
  await runFile('chmod', ['755', join(home.path, 'remediations/fix.sh')]);
  later(() => home.remove());
  return home;
}

async function start(home: Home, later: Later): Promise<Daemon> {
  const daemon = await startDaemon({ home, ...(await asInstalled()) });
  later(() => daemon.stop());
  return daemon;
}

async function isWell(daemon: Daemon): Promise<void> {
  await until(
    async () => {
      const { probes } = await daemon.api<{ probes: readonly { state: string }[] }>('probes');
      const { incidents } = await daemon.api<{ incidents: readonly unknown[] }>('incidents?open=true');
      return probes.every(({ state }) => state === 'up') && incidents.length === 0;
    },
    { what: 'the probe to be up', withinMs: 90_000 },
  );
}

/** Wall clock, ms, at which the fix began for the `count`th time. */
function fixStarted(home: Home, count: number): Promise<number> {
  return until(
    async () => {
      const lines = (await readFile(join(home.path, 'remediations/started'), 'utf8')).trim().split('\n');
      return lines.length >= count && Number(lines[count - 1]) / 1e6;
    },
    { what: `fix number ${count}`, withinMs: 30_000 },
  );
}

async function isFiring({ url }: Server): Promise<boolean> {
  const { data } = (await (await fetch(`${url}/api/v1/alerts`)).json()) as { data: { alerts: { state: string }[] } };
  return data.alerts.some(({ state }) => state === 'firing');
}

/** Wall clock, ms, at which the alert was seen to fire, looked for every 5 ms. */
async function firingAt(prometheus: Server): Promise<number> {
  const end = Date.now() + 30_000;
  while (!(await isFiring(prometheus))) {
    if (Date.now() > end) throw new Error('the alert did not fire');
    await sleep(5);
  }
  return Date.now();
}
