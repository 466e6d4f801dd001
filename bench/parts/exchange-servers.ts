/** Something to have an exchange with, for each probe type over a network: real servers where Debian has one, else small ones. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Server as GrpcServer, ServerCredentials, type sendUnaryData } from '@grpc/grpc-js';
import { WebSocketServer } from 'ws';
import { IMAGE, startDockerd } from '../../test/estate/dockerd.ts';
import { createAuthority } from '../../test/estate/hostile-certificates.ts';
import { startMailServer } from '../../test/estate/mail-server.ts';
import { startMariadb } from '../../test/estate/mariadb.ts';
import { startMosquitto } from '../../test/estate/mosquitto.ts';
import { startNats } from '../../test/estate/nats.ts';
import { startPostgres } from '../../test/estate/postgres.ts';
import { startRabbitmq } from '../../test/estate/rabbitmq.ts';
import { startRedis } from '../../test/estate/redis.ts';
import type { Cleanup } from './cleanups.ts';
import { startTarget } from './target.ts';

type Later = (cleanup: Cleanup) => void;

const HOST = '127.0.0.1';
const BODY = '{"status":"operational"}';
/** `HealthCheckResponse`: SERVING. */
const SERVING = Buffer.from([8, 1]);

/** Where each of them is, and who vouches for the one over TLS. */
export async function startExchangeServers(later: Later) {
  const target = await startTarget();
  later(() => target.stop());
  const [redis, mariadb, postgres, mosquitto, nats, rabbitmq, mail, dockerd] = [
    await started(startRedis(), later),
    await started(startMariadb(), later),
    await started(startPostgres(), later),
    await started(startMosquitto(), later),
    await started(startNats(), later),
    await started(startRabbitmq({}), later),
    await startMailServer(),
    await started(startDockerd(), later),
  ];
  later(() => mail.close());
  await dockerd.run('run', '-d', '--name', 'web', '--network', 'host', IMAGE, 'sleep', '3600');
  return {
    ...{ http: target.address, httpPort: target.httpPort, resolver: target.resolver },
    https: await startHttps(later),
    udpPort: await startUdp(later),
    websocketPort: await startWebsocket(later),
    grpcPort: await startGrpc(later),
    api: await startApi(later),
    ...{ redis: redis.url, mariadb: mariadb.url('mysql'), postgres: postgres.url() },
    ...{ mosquitto: mosquitto.url, nats: nats.url, rabbitmq: rabbitmq.url, smtpPort: mail.port },
    dockerSocket: dockerd.socket,
  };
}

export type ExchangeServers = Awaited<ReturnType<typeof startExchangeServers>>;

async function started<T extends { stop(): Promise<void> }>(starting: Promise<T>, later: Later): Promise<T> {
  const server = await starting;
  later(() => server.stop());
  return server;
}

async function startHttps(later: Later) {
  const authority = await createAuthority();
  later(() => authority.remove());
  const server = createHttpsServer(await authority.issue('bench', { names: `IP:${HOST}`, days: 30 }), (_, response) => {
    response.writeHead(200, { 'Content-Length': BODY.length, Connection: 'close' });
    response.end(BODY);
  });
  return { port: await listening(server, later), ca: authority.cert };
}

const PROGRAM = {
  ...{ state: 20, statename: 'RUNNING', start: 1_700_000_000, stop: 0, now: 1_700_000_060, exitstatus: 0 },
  ...{ spawnerr: '', pid: 4_242 },
};
const NODE = { availability: 'UP', version: '4.48.0', maxSessions: 1, slots: [{ session: null }] };

/** What those answer that are asked over HTTP, by path. */
const ANSWERS: Readonly<Record<string, string>> = {
  '/api/v1/query': json({
    ...{ status: 'success', data: { resultType: 'vector', result: [{ metric: {}, value: [1_700_000_000, '1'] }] } },
  }),
  '/api/v2/summary.json': json({ status: { indicator: 'none', description: 'All Systems Operational' } }),
  '/whoami': BODY,
  '/status': json({ value: { ready: true, nodes: [NODE] } }),
  '/graphql': json({ data: { grid: { sessionQueueSize: 0 } } }),
  '/RPC2': xmlRpcStruct(PROGRAM),
};

function json(value: object): string {
  return JSON.stringify(value);
}

function xmlRpcStruct(struct: Readonly<Record<string, string | number>>): string {
  const members = Object.entries(struct).map(([name, value]) => {
    const type = typeof value === 'number' ? 'int' : 'string';
    return `<member><name>${name}</name><value><${type}>${value}</${type}></value></member>`;
  });
  const value = `<value><struct>${members.join('')}</struct></value>`;
  return `<?xml version='1.0'?><methodResponse><params><param>${value}</param></params></methodResponse>`;
}

async function startApi(later: Later): Promise<string> {
  const server = createHttpServer((request, response) => {
    request.resume();
    const answer = ANSWERS[new URL(request.url ?? '/', 'http://api').pathname];
    response.writeHead(answer === undefined ? 404 : 200, { Connection: 'close' }).end(answer);
  });
  return `http://${HOST}:${await listening(server, later)}`;
}

async function startUdp(later: Later): Promise<number> {
  const socket = createSocket('udp4');
  later(() => socket.close());
  socket.on('message', (question, { port, address }) => socket.send(question, port, address));
  socket.bind(0, HOST);
  await once(socket, 'listening');
  return socket.address().port;
}

async function startWebsocket(later: Later): Promise<number> {
  const server = new WebSocketServer({ host: HOST, port: 0 });
  later(() => server.close());
  server.on('connection', (client) => client.on('error', () => undefined));
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function startGrpc(later: Later): Promise<number> {
  const server = new GrpcServer();
  later(() => server.forceShutdown());
  const same = (message: Buffer) => message;
  const check = {
    ...{ path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false },
    ...{ requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same },
  } as const;
  server.addService({ Check: check }, { Check: (_: unknown, done: sendUnaryData<Buffer>) => done(null, SERVING) });
  return await new Promise((resolve, reject) => {
    server.bindAsync(`${HOST}:0`, ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    );
  });
}

async function listening(server: Server, later: Later): Promise<number> {
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  // What a client does to it is the client's business.
  server.on('tlsClientError', () => undefined);
  server.listen(0, HOST, 4_096);
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
