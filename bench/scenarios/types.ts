/** What one run of each probe type costs, beside a minimal client that has the same exchange with the same library. */
import type { Figure, Scenario } from '../figure.ts';
import { linesOf } from '../parts/child-program.ts';
import { withCleanups } from '../parts/cleanups.ts';
import { type ExchangeServers, startExchangeServers } from '../parts/exchange-servers.ts';
import { median } from '../parts/statistics.ts';

interface Exchange {
  readonly name: string;
  /** Default: `name`. */
  readonly type?: string;
  /** What the minimal client is written with. */
  readonly library: string;
  readonly spec: (servers: ExchangeServers) => object;
}

const HOST = '127.0.0.1';

export const EXCHANGES: readonly Exchange[] = [
  { name: 'tcp', library: 'node:net', spec: ({ httpPort: port }) => ({ host: HOST, port }) },
  { name: 'udp', library: 'node:dgram', spec: ({ udpPort: port }) => ({ host: HOST, port, send: 'status' }) },
  { name: 'http', library: 'node:http', spec: ({ http }) => ({ url: `http://${http}/plain/0` }) },
  {
    ...{ name: 'http over TLS', type: 'http', library: 'node:https' },
    spec: ({ https: { port, ca } }) => ({ url: `https://${HOST}:${port}/`, tls: { ca } }),
  },
  { name: 'tls', library: 'node:tls', spec: ({ https: { port, ca } }) => ({ host: HOST, port, ca }) },
  { name: 'dns', library: 'node:dns', spec: ({ resolver: server }) => ({ name: 'name-0.bench', server }) },
  { name: 'websocket', library: 'ws', spec: ({ websocketPort }) => ({ url: `ws://${HOST}:${websocketPort}/` }) },
  { name: 'grpc', library: 'node:http2', spec: ({ grpcPort }) => ({ address: `${HOST}:${grpcPort}` }) },
  { name: 'mysql', library: 'mysql2', spec: ({ mariadb }) => ({ url: `${mariadb}?ssl-mode=DISABLED` }) },
  { name: 'postgres', library: 'pg', spec: ({ postgres }) => ({ url: `${postgres}?sslmode=disable` }) },
  { name: 'redis', library: 'node:net', spec: ({ redis: url }) => ({ url }) },
  {
    ...{ name: 'celery', library: 'node:net' },
    spec: ({ redis: broker }) => ({ broker, queues: ['celery'], priority_steps: [0, 3, 6, 9], ping: false }),
  },
  { name: 'smtp', library: 'node:net', spec: ({ smtpPort }) => ({ url: `smtp://${HOST}:${smtpPort}` }) },
  { name: 'mqtt', library: 'node:net', spec: ({ mosquitto: url }) => ({ url, client_id: 'bench' }) },
  { name: 'nats', library: 'node:net', spec: ({ nats: url }) => ({ url }) },
  { name: 'rabbitmq', library: 'node:net', spec: ({ rabbitmq: url }) => ({ url }) },
  { name: 'prometheus', library: 'node:http', spec: ({ api }) => ({ url: api, query: 'up' }) },
  { name: 'statuspage', library: 'node:http', spec: ({ api }) => ({ url: api }) },
  {
    ...{ name: 'credential', library: 'node:http' },
    spec: ({ api }) => ({ provider: 'http', url: `${api}/whoami`, token: 'of the bench' }),
  },
  { name: 'selenium-grid', library: 'node:http', spec: ({ api }) => ({ url: api }) },
  { name: 'supervisor', library: 'node:http', spec: ({ api }) => ({ url: api, program: 'worker' }) },
  { name: 'exec', library: 'node:child_process', spec: () => ({ argv: ['/bin/true'] }) },
  { name: 'icmp', library: 'node:child_process', spec: () => ({ host: HOST, count: 1 }) },
  { name: 'process', library: 'node:fs', spec: () => ({ name: 'redis-server' }) },
  { name: 'docker', library: 'dockerode', spec: ({ dockerSocket: socket }) => ({ container: 'web', socket }) },
];

/** Types that have no exchange with a library, or none that fits in here, and why. */
export const WITHOUT_PEER: Readonly<Record<string, string>> = {
  browser: 'what it costs is Chromium, in processes of its own: seconds of CPU and 470 MB at its peak',
  custom: "a module's own code",
  environment: 'asks nobody: it compares a list with the environment',
  group: 'asks nobody: it counts the states of others',
  heartbeat: 'asks nobody: others report',
  host: "reads the kernel's files, as many as its conditions name",
  systemd: 'starts systemctl, as `exec` does a program',
};

const MOST = 1.5;
const WITHIN_MS = 600_000;

type Pairs = readonly { readonly ours: number; readonly theirs: number }[];

export const types: Scenario = {
  name: 'types',
  summary: 'one run of each probe type, in turns with a minimal client of the same library',
  run: (say) =>
    withCleanups(async (later) => {
      say('servers');
      const servers = await startExchangeServers(later);
      const subjects = EXCHANGES.map(({ name, type = name, spec }) => ({ type, spec: spec(servers) }));
      const figures: Figure[] = [];
      for await (const pairs of linesOf<Pairs>('types-program.mjs', subjects, { withinMs: WITHIN_MS, later })) {
        const figure = figureOf(EXCHANGES[figures.length] as Exchange, pairs);
        say(`${figure.name}: ${figure.ratio?.toFixed(2)}`);
        figures.push(figure);
      }
      return figures;
    }),
};

function figureOf({ name, library }: Exchange, pairs: Pairs): Figure {
  return {
    name: `CPU per run, ${name}`,
    value: median(pairs.map(({ ours }) => ours)),
    unit: 'µs',
    peer: { name: library, value: median(pairs.map(({ theirs }) => theirs)) },
    ratio: median(pairs.map(({ ours, theirs }) => ours / theirs)),
    ...{ most: MOST, isRatio: true },
  };
}
