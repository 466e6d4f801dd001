/** `npm run estate -- prepare`: installs and fetches what the parts need. Done twice it does nothing the second time. */
import { existsSync } from 'node:fs';
import { installPackages } from '../scripts/debian.ts';
import { seleniumJar } from '../test/estate/selenium-grid.ts';
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
  if (existsSync(PARTS.selenium.needs['openjdk-17-jre-headless'] ?? '')) {
    tell('the Selenium Grid, about 40 MB, unless it is in .cache already');
    await seleniumJar();
  }
  for (const { part, why } of missingParts()) tell(`left out: ${part}: ${why}`);
  tell('prepared: npm run estate');
}
