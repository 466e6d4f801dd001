/**
 * The image of the Dockerfile, on a real engine. No registry is at hand here, so its two base images are made of this machine's
 * own parts: node and tini with their libraries beside busybox, and what the build stage leaves. All other lines are the file's own.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort, until } from '../estate/daemon.ts';
import { type Dockerd, dockerAvailable, startDockerd } from '../estate/dockerd.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const BUILD_MS = 400_000;
const HEALTHY_MS = 180_000;
/** SQLite, which brings a library of its own. */
const DATABASE = createRequire(import.meta.url).resolve(`@libsql/${process.platform}-${process.arch}-gnu`);
const runFile = promisify(execFile);

const missing = dockerAvailable();
let docker: Dockerd;
let folder: string;
let url: string;

/** The runtime stage as it is written, on local bases and without the packages that only a mirror has. */
async function localDockerfile(): Promise<string> {
  const file = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
  const [, runtime = ''] = file.split(/^FROM node:\S+ AS runtime$/m);
  const withoutPackages = runtime.replace(/^RUN apt-get (?:.*\\\n)*.*\n/m, '');
  expect(withoutPackages).not.toBe(runtime);
  return `FROM built AS build\nFROM base AS runtime\n${withoutPackages}`;
}

async function importBase(root: string): Promise<void> {
  for (const path of ['bin', 'etc', 'tmp', 'usr/bin']) await mkdir(join(root, path), { recursive: true });
  for (const program of ['/bin/busybox', '/usr/bin/tini']) await cp(program, join(root, program));
  for (const applet of ['sh', 'mkdir', 'chown', 'chmod', 'cat', 'kill'])
    await symlink('busybox', join(root, 'bin', applet));
  await cp(process.execPath, join(root, 'usr/bin/node'));
  for (const library of await librariesOf(process.execPath, DATABASE))
    await cp(library, join(root, library), { dereference: true });
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\nnode:x:1000:1000::/:/bin/sh\n');
  await writeFile(join(root, 'etc/group'), 'root:x:0:\nnode:x:1000:\n');
  await importImage(root, 'base');
}

async function librariesOf(...programs: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await runFile('ldd', programs);
  return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = '']) => path);
}

/** What `npm prune --omit=dev` leaves, and what tsc writes. */
async function importBuilt(root: string): Promise<void> {
  const { stdout } = await runFile('npm', ['ls', '--omit=dev', '--all', '--parseable'], { cwd: ROOT });
  const packages = stdout.trim().split('\n').slice(1);
  for (const path of packages) {
    const target = join(root, 'build', path.slice(ROOT.length));
    await mkdir(dirname(target), { recursive: true });
    await cp(path, target, { recursive: true });
  }
  await cp(join(ROOT, 'dist'), join(root, 'build/dist'), { recursive: true });
  await importImage(root, 'built');
}

async function importImage(root: string, name: string): Promise<void> {
  const archive = `${root}.tar`;
  await runFile('tar', ['-C', root, '-cf', archive, '.']);
  await docker.run('import', archive, name);
  await rm(archive);
}

async function start(): Promise<void> {
  const listen = `127.0.0.1:${await freePort()}`;
  url = `http://${listen}`;
  const hardened = ['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'];
  const network = ['--network', 'host', '--env', `BRAINSTEM_LISTEN=${listen}`];
  await docker.run('run', '--detach', '--name', 'brainstem', ...hardened, ...network, 'brainstem:1');
}

/** What it printed, in both of its streams. */
async function output(): Promise<string> {
  const { stdout, stderr } = await runFile('/usr/bin/docker', ['-H', `unix://${docker.socket}`, 'logs', 'brainstem']);
  return stdout + stderr;
}

const inspect = (format: string) => docker.run('inspect', '--format', format, 'brainstem');

describe.skipIf(missing !== undefined)('a container of the image', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'brainstem-image-'));
    docker = await startDockerd();
    await importBase(join(folder, 'base'));
    await importBuilt(join(folder, 'built'));
    await writeFile(join(folder, 'Dockerfile'), await localDockerfile());
    await docker.run('build', '-q', '-t', 'brainstem:1', '-f', join(folder, 'Dockerfile'), ROOT);
    await start();
  }, BUILD_MS);

  afterAll(async () => {
    await docker?.stop();
    await rm(folder, { recursive: true, force: true });
  }, BUILD_MS);

  it(
    'becomes healthy by its own check, and watches what comes with it',
    async () => {
      const state = () => inspect('{{.State.Status}} {{.State.Health.Status}}');
      await until(async () => /^exited|healthy$/.test((await state()).replace('unhealthy', '')), {
        ...{ what: 'the container to be healthy', withinMs: HEALTHY_MS },
      });
      expect(await state(), await output()).toBe('running healthy');
      const { probes } = (await (await fetch(`${url}/api/v1/status`)).json()) as { probes: readonly unknown[] };
      expect(probes.length).toBeGreaterThan(0);
    },
    HEALTHY_MS,
  );

  it('runs as a user without privileges, behind an init that reaps', async () => {
    expect(await inspect('{{.Config.User}}')).toBe('node');
    expect(await docker.run('exec', 'brainstem', 'cat', '/proc/1/comm')).toBe('tini');
    expect(await docker.run('exec', 'brainstem', 'cat', '/proc/1/status')).toMatch(/^Uid:\t1000/m);
  });

  it('holds nothing that is not needed to run', async () => {
    const ls = (path: string) => docker.run('exec', 'brainstem', 'node', '-p', `fs.readdirSync('${path}').join(' ')`);
    const entries = await ls('/opt/brainstem');
    expect(entries.split(' ').sort()).toEqual(
      [
        'brainstem.yml',
        'credentials.yaml',
        'data',
        'dist',
        'node_modules',
        'package.json',
        'probes',
        'remediations',
        'schema',
      ].sort(),
    );
    expect((await ls('/opt/brainstem/node_modules')).split(' ')).not.toContain('typescript');
  });

  it(
    'stops in time on SIGTERM, and its store outlives the container',
    async () => {
      await docker.run('stop', '--time', '20', 'brainstem');
      expect(await inspect('{{.State.ExitCode}}')).toBe('0');
      expect(await docker.run('logs', 'brainstem')).toContain('"event":"stopping"');
      await docker.run('start', 'brainstem');
      await until(async () => (await fetch(`${url}/-/ready`)).ok, {
        what: 'it to be ready again',
        withinMs: HEALTHY_MS,
      });
      expect((await docker.run('logs', 'brainstem')).match(/"event":"store_migrated"/g)).toHaveLength(1);
    },
    HEALTHY_MS,
  );
});
