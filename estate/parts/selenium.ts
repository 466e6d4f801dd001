/** A Selenium Grid with one node, in whose browser the pages are watched. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../test/estate/daemon.ts';
import { seleniumJar, seleniumNode } from '../../test/estate/selenium-grid.ts';
import type { Server } from '../engine.ts';
import { type Ground, given, type Part, type StartedPart } from '../part.ts';

export interface Selenium extends StartedPart {
  readonly server: Server;
}

async function start({ engine, folder: home }: Ground): Promise<Selenium> {
  const jar = await seleniumJar();
  const folder = join(home, 'selenium');
  await mkdir(folder);
  // The pages are watched in one of them: the grid with the other is still one that is ready.
  await writeFile(join(folder, 'node.toml'), seleniumNode(2));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await engine.run({
    name: 'estate-selenium',
    argv: [
      ...(['/usr/bin/java', `-Djava.io.tmpdir=${folder}`, '-Xmx256m', '-XX:TieredStopAtLevel=1', '-jar', jar] as const),
      ...['standalone', '--host', '127.0.0.1', '--port', String(port), '--config', join(folder, 'node.toml')],
    ],
    folders: [folder],
    ready: async () => /"ready": ?true/.test(await (await fetch(`${url}/status`)).text()),
  });
  return {
    server,
    environment: given({ SELENIUM_CONTAINER: server.container, SELENIUM_URL: url, BROWSER_GRID_URL: url }),
    stop: () => server.stop(),
  };
}

export const selenium: Part<Selenium> = {
  summary: 'A Selenium Grid with one node, in whose browser the three pages are watched',
  needs: {
    'openjdk-17-jre-headless': '/usr/bin/java',
    chromium: '/usr/bin/chromium',
    'chromium-driver': '/usr/bin/chromedriver',
  },
  start,
};
