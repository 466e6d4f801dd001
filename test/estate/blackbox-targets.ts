/** What probers of blackbox.yml are pointed at: real servers of each protocol, good and failing, started once for a file. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTls, TLSSocket, type TlsOptions } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { freePort } from './daemon.ts';
import { type Authority, createAuthority } from './hostile-certificates.ts';
import { serverProcess } from './server-process.ts';

export interface BlackboxTargets {
  readonly authority: Authority;
  /** `host:port` by name. */
  readonly at: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const PAGES: Readonly<Record<string, RequestListener>> = {
  '/ok': (_request, response) =>
    response.setHeader('last-modified', 'Wed, 14 Jan 2026 12:00:00 GMT').end('<p>Hello, World</p>'),
  '/json': (_request, response) => response.setHeader('content-type', 'application/json').end('{"status":"up"}'),
  '/missing': (_request, response) => response.writeHead(404).end('no'),
  '/broken': (_request, response) => response.writeHead(503).end('no'),
  '/empty': (_request, response) => response.writeHead(204).end(),
  '/chunked': (_request, response) => {
    response.write('one');
    response.end('two');
  },
  '/moved': (_request, response) => response.writeHead(302, { location: '/moved-again' }).end(),
  '/moved-again': (_request, response) => response.writeHead(301, { location: '/ok' }).end('here'),
  // Nobody listens on port 1 of loopback.
  '/moved-away': (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
  '/loop': (_request, response) => response.writeHead(302, { location: '/loop' }).end(),
  '/zipped': (_request, response) =>
    response.setHeader('content-encoding', 'gzip').end(gzipSync('<p>Hello, World</p>')),
  '/large': (_request, response) => response.end('x'.repeat(5_000)),
  '/private': ({ headers }, response) => response.writeHead(headers.authorization ? 200 : 401).end('ok'),
  '/echo': ({ headers }, response) => response.end(headers.authorization),
  '/host': ({ headers }, response) => response.writeHead(headers.host === 'shop.example' ? 200 : 400).end('ok'),
  '/posted': ({ method }, response) => response.writeHead(method === 'POST' ? 200 : 405).end('ok'),
  '/slow': (_request, response) => void setTimeout(() => response.end('late'), 5_000).unref(),
  '/half': (request) => request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'),
};

const onRequest: RequestListener = (request, response) => {
  const page = PAGES[request.url ?? ''];
  if (page) page(request, response);
  else response.writeHead(404).end();
};

export async function startBlackboxTargets(): Promise<BlackboxTargets> {
  const authority = await createAuthority();
  const issue = (name: string, days: number, agoDays = 0) =>
    authority.issue(name, { names: 'DNS:localhost,DNS:shop.example,IP:127.0.0.1', days, agoDays });
  const good = await issue('good', 30);
  const expired = await issue('expired', 5, 20);
  const foreign = await authority.selfSigned('foreign');
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const serve = async (server: Server): Promise<string> => {
    servers.push(server);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const names = await startNames(authority.folder);
  const at = {
    http: await serve(createHttp(onRequest)),
    https: await serve(createHttps(good, onRequest)),
    expired: await serve(createHttps(expired, onRequest)),
    foreign: await serve(createHttps(foreign, onRequest)),
    old: await serve(createHttps({ ...good, maxVersion: 'TLSv1.2' }, onRequest)),
    tls: await serve(createTls(good, (socket) => socket.on('error', () => {}).end('ready\r\n'))),
    banner: await serve(createServer((socket) => banner(socket))),
    silent: await serve(createServer((socket) => void socket.resume())),
    closing: await serve(createServer((socket) => void socket.end('bye\r\n'))),
    mail: await serve(createServer((socket) => mail(socket, good))),
    refused: `127.0.0.1:${await freePort()}`,
    dns: names.address,
    dnsTls: names.tlsAddress,
  };
  return {
    authority,
    at,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
      await names.stop();
      await authority.remove();
    },
  };
}

/** Greets, and answers one question. */
function banner(socket: Socket): void {
  socket.write('* motd\r\nSSH-2.0-OpenTest_9.2\r\n');
  socket.on('data', (data) => socket.write(data.toString().startsWith('PING 9') ? 'PONG\n' : 'WHAT\n'));
}

/** The little of SMTP that STARTTLS needs. */
function mail(socket: Socket, pair: TlsOptions): void {
  socket.write('220 mail.test ESMTP\r\n');
  socket.on('data', function onData(data) {
    const text = data.toString();
    if (text.startsWith('EHLO')) socket.write('250-mail.test\r\n250 STARTTLS\r\n');
    if (!text.startsWith('STARTTLS')) return;
    socket.off('data', onData);
    socket.write('220 go ahead\r\n');
    const secured = new TLSSocket(socket, { ...pair, isServer: true });
    secured
      .on('error', () => {})
      .on('data', (command) => {
        if (command.toString().startsWith('EHLO')) secured.write('250 encrypted\r\n');
      });
  });
}

/** unbound as the authority for `zone.test`, over UDP, TCP and TLS. */
async function startNames(certificates: string) {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-names-'));
  const [port, tlsPort] = [await freePort(), await freePort()];
  const settings = [
    'username: ""',
    'chroot: ""',
    `directory: "${folder}"`,
    'pidfile: ""',
    'use-syslog: no',
    'do-daemonize: no',
    'module-config: "iterator"',
    'local-zone: "test." nodefault',
    `interface: 127.0.0.1@${port}`,
    `interface: 127.0.0.1@${tlsPort}`,
    `tls-port: ${tlsPort}`,
    `tls-service-key: "${certificates}/good.key"`,
    `tls-service-pem: "${certificates}/good.pem"`,
  ];
  const zone = `auth-zone:\n  name: "zone.test"\n  zonefile: "${folder}/zone"\n`;
  await writeFile(join(folder, 'unbound.conf'), `server:\n${settings.map((line) => `  ${line}\n`).join('')}${zone}`);
  await writeFile(join(folder, 'zone'), ZONE);
  const server = serverProcess({
    command: 'unbound',
    arguments: ['-d', '-p', '-c', join(folder, 'unbound.conf')],
    ready: () => connects(tlsPort),
  });
  await server.start();
  return {
    address: `127.0.0.1:${port}`,
    tlsAddress: `127.0.0.1:${tlsPort}`,
    async stop() {
      await server.end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const ZONE = `zone.test. 60 IN SOA ns.zone.test. root.zone.test. 2026112801 3600 600 86400 60
zone.test. 60 IN NS ns.zone.test.
ns.zone.test. 60 IN A 127.0.0.1
www.zone.test. 60 IN A 127.0.0.9
www.zone.test. 60 IN A 127.0.0.10
zone.test. 60 IN MX 10 mail.zone.test.
zone.test. 60 IN TXT "v=spf1 -all" "second \\"part\\""
alias.zone.test. 60 IN CNAME www.zone.test.
`;

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
