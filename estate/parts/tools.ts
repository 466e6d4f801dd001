/** Grafana, Portainer and pgAdmin, which Debian does not have: web servers with their answers, each in a container. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { freePort } from '../../test/estate/daemon.ts';
import type { Server } from '../engine.ts';
import { type Ground, given, type Part, type StartedPart } from '../part.ts';

export interface Tools extends StartedPart {
  readonly grafana: Server;
  readonly portainer: Server;
  readonly pgadmin: Server;
  /** Takes Grafana's dashboard away, and gives it back. */
  hideDashboard(hidden: boolean): Promise<void>;
}

const ANSWERS = {
  grafana: {
    'api/health': '{ "database": "ok" }',
    'api/dashboards/uid/estate': '{ "dashboard": { "panels": [{ "title": "Estate" }] } }',
  },
  portainer: { 'api/status': '{ "Version": "2.19.4" }' },
  pgadmin: { 'misc/ping': 'PING' },
};

async function start({ engine, folder: home }: Ground): Promise<Tools> {
  const serve = async (name: keyof typeof ANSWERS) => {
    const folder = join(home, name);
    for (const [path, text] of Object.entries(ANSWERS[name])) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const server = await engine.run({
      name: `estate-${name}`,
      argv: ['/usr/bin/busybox', 'httpd', '-f', '-p', `127.0.0.1:${port}`, '-h', folder],
      folders: [folder],
      ready: async () => (await fetch(`${url}/${Object.keys(ANSWERS[name])[0]}`)).ok,
    });
    return { server, url, folder };
  };
  const [grafana, portainer, pgadmin] = await Promise.all([serve('grafana'), serve('portainer'), serve('pgadmin')]);
  const dashboard = join(grafana.folder, 'api/dashboards/uid/estate');
  return {
    ...{ grafana: grafana.server, portainer: portainer.server, pgadmin: pgadmin.server },
    hideDashboard: (hidden) =>
      hidden ? rename(dashboard, `${dashboard}.gone`) : rename(`${dashboard}.gone`, dashboard),
    environment: given({
      ...{ GRAFANA_CONTAINER: grafana.server.container, GRAFANA_URL: grafana.url },
      ...{ GRAFANA_TOKEN: 'any-token-will-do', GRAFANA_DASHBOARD_UID: 'estate' },
      ...{ PORTAINER_CONTAINER: portainer.server.container, PORTAINER_URL: portainer.url },
      ...{ PGADMIN_CONTAINER: pgadmin.server.container, PGADMIN_URL: pgadmin.url },
    }),
    async stop() {
      await Promise.all([grafana, portainer, pgadmin].map(({ server }) => server.stop()));
    },
  };
}

export const tools: Part<Tools> = {
  summary: 'Stand-ins for Grafana, Portainer and pgAdmin',
  needs: { 'busybox-static': '/usr/bin/busybox' },
  start,
};
