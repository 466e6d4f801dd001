/** How late a run ends after its deadline, by probe type, when the target accepts a connection and never says anything. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Figure, Scenario } from '../figure.ts';
import { linesOf } from '../parts/child-program.ts';
import { type Cleanup, withCleanups } from '../parts/cleanups.ts';
import { makeFolder } from '../parts/peers.ts';
import { median, quantile } from '../parts/statistics.ts';

type Later = (cleanup: Cleanup) => void;

interface Silent {
  readonly port: number;
  readonly udpPort: number;
  readonly socket: string;
}

/** Milliseconds, by type in the order of `SPECS`; those of bare timers come last. */
type Latenesses = readonly (readonly number[])[];

const HOST = '127.0.0.1';

const SPECS: Readonly<Record<string, (silent: Silent) => object>> = {
  tcp: ({ port }) => ({ host: HOST, port, steps: [{ expect: 'welcome' }] }),
  udp: ({ udpPort: port }) => ({ host: HOST, port, send: 'status' }),
  http: ({ port }) => ({ url: `http://${HOST}:${port}/` }),
  tls: ({ port }) => ({ host: HOST, port }),
  dns: ({ udpPort }) => ({ name: 'name-0.bench', server: `${HOST}:${udpPort}` }),
  websocket: ({ port }) => ({ url: `ws://${HOST}:${port}/` }),
  grpc: ({ port }) => ({ address: `${HOST}:${port}` }),
  mysql: ({ port }) => ({ url: `mysql://probe@${HOST}:${port}/` }),
  postgres: ({ port }) => ({ url: `postgres://probe@${HOST}:${port}/` }),
  redis: ({ port }) => ({ url: `redis://${HOST}:${port}` }),
  celery: ({ port }) => ({ broker: `redis://${HOST}:${port}` }),
  smtp: ({ port }) => ({ url: `smtp://${HOST}:${port}` }),
  mqtt: ({ port }) => ({ url: `mqtt://${HOST}:${port}` }),
  nats: ({ port }) => ({ url: `nats://${HOST}:${port}` }),
  rabbitmq: ({ port }) => ({ url: `amqp://${HOST}:${port}` }),
  prometheus: ({ port }) => ({ url: `http://${HOST}:${port}`, query: 'up' }),
  statuspage: ({ port }) => ({ url: `http://${HOST}:${port}` }),
  credential: ({ port }) => ({ provider: 'http', url: `http://${HOST}:${port}/`, token: 'of the bench' }),
  'selenium-grid': ({ port }) => ({ url: `http://${HOST}:${port}` }),
  supervisor: ({ socket }) => ({ url: `unix://${socket}`, program: 'worker' }),
  docker: ({ socket }) => ({ container: 'web', socket }),
};

const MOST_MS = 50;
const WITHIN_MS = 120_000;

export const deadlines: Scenario = {
  name: 'deadlines',
  summary: 'runs against servers that never answer: how late after its timeout each of them ends',
  run: (say) =>
    withCleanups(async (later) => {
      const silent = await startSilent(later);
      const subjects = Object.entries(SPECS).map(([type, spec]) => ({ type, spec: spec(silent) }));
      const repetitions: Latenesses[] = [];
      for await (const one of linesOf<Latenesses>('deadlines-program.mjs', subjects, { withinMs: WITHIN_MS, later })) {
        repetitions.push(one);
        say(`${repetitions.length}`);
      }
      return figuresOf(repetitions);
    }),
};

function figuresOf(repetitions: readonly Latenesses[]): Figure[] {
  // A pause of the whole machine is in one repetition, and in the middle of all of them only when it is the rule.
  const p99 = (index: number) => median(repetitions.map((one) => quantile(one.at(index) ?? [], 0.99)));
  const bare = { name: 'a bare timer', value: p99(-1) };
  return Object.keys(SPECS).map((type, index) => ({
    name: `end of a run after its timeout, p99, ${type}`,
    value: p99(index),
    unit: 'ms',
    peer: bare,
    most: MOST_MS,
  }));
}

/** Connections are accepted and datagrams are read. Nothing else. */
async function startSilent(later: Later): Promise<Silent> {
  const tcp = createServer();
  const local = createServer();
  const socket = join(await makeFolder(later), 'silent.sock');
  for (const server of [tcp, local]) closeLater(server, later);
  tcp.listen(0, HOST, 4_096);
  local.listen(socket);
  const udp = createSocket('udp4');
  later(() => udp.close());
  udp.bind(0, HOST);
  await Promise.all([tcp, local, udp].map((server) => once(server, 'listening')));
  return { port: (tcp.address() as AddressInfo).port, udpPort: udp.address().port, socket };
}

function closeLater(server: Server, later: Later): void {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    // Only who reads notices that the other side has closed.
    socket.resume();
  });
  later(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
}
