/** `npm run estate -- prepare`: installs and fetches what the parts need. Done twice it does nothing the second time. */
import { existsSync } from 'node:fs';
import { installPackages } from '../scripts/debian.ts';
import { seleniumJar } from '../test/estate/selenium-grid.ts';
import { rootFileSystem } from '../test/estate/systemd.ts';
import type { Part } from './part.ts';
import { PARTS } from './parts/index.ts';
import { missingParts } from './stage.ts';

/** Of the engine itself. */
const ENGINE = {
  'docker.io': '/usr/sbin/dockerd',
  runc: '/usr/sbin/runc',
  containerd: '/usr/bin/containerd',
  iptables: '/usr/sbin/iptables',
  'busybox-static': '/bin/busybox',
};

export async function prepare(tell: (text: string) => void): Promise<void> {
  const needs = Object.assign({}, ENGINE, ...Object.values<Part>(PARTS).map((part) => part.needs)) as typeof ENGINE;
  const absent = Object.entries(needs).flatMap(([name, path]) => (existsSync(path) ? [] : [name]));
  if (absent.length > 0) tell(`Debian packages that are missing: ${absent.join(' ')}`);
  installPackages(absent);
  const missing = missingParts();
  const isThere = (name: string) => !missing.some(({ part }) => part === name);
  if (isThere('selenium')) {
    tell('the Selenium Grid, unless it is in .cache already');
    await seleniumJar();
  }
  if (isThere('systemd')) {
    tell('a minimal Debian with systemd, unless it is in .cache already');
    await rootFileSystem();
  }
  for (const { part, why } of missing) tell(`left out: ${part}: ${why}`);
  tell('prepared: npm run estate');
}
