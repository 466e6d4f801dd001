/**
 * Servers that refuse everybody and say what they were told: what a target, a proxy or an error page may do with a credential.
 * One port for protocols in which the client speaks first, one for each in which the server does.
 */
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { long, longText, METHOD, methodFrame, short, shortText, table } from '../../src/probe-types/amqp-frames.ts';
import { readBody } from './faults.ts';

export interface EchoServers {
  /** HTTP, WebSocket, Redis, PostgreSQL, MQTT, AMQP, and any other bytes. */
  readonly port: number;
  readonly grpc: number;
  readonly nats: number;
  readonly smtp: number;
  readonly mysql: number;
  /** What `/mint` gave out so far: nobody may see it but who asked. */
  minted(): readonly string[];
  close(): Promise<void>;
}

/** @param known what a server is to say that never hears it: MySQL sends no password. @param mint makes a fresh token. */
export async function startEchoServers(known: string, mint: () => string): Promise<EchoServers> {
  const minted: string[] = [];
  const http = createHttpServer((request, response) => {
    readBody(request).then(
      (body) => {
        const fresh = request.url?.startsWith('/mint') ? mint() : undefined;
        if (fresh !== undefined) minted.push(fresh);
        const { status, type, text } = httpAnswer(request, body, fresh);
        const cookie = fresh !== undefined && { 'set-cookie': `session=${fresh}` };
        response.writeHead(status, { 'content-type': type, 'x-said': encodeURIComponent(said(request)), ...cookie });
        response.end(text);
      },
      () => response.destroy(),
    );
  });
  http.on('upgrade', (request, socket) => {
    const text = said(request);
    socket.end(`HTTP/1.1 401 ${text}\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  });
  const grpc = createHttp2Server();
  grpc.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const message = encodeURIComponent(JSON.stringify(headers));
    const status = { ':status': 200, 'content-type': 'application/grpc' };
    stream.respond({ ...status, 'grpc-status': '16', 'grpc-message': message }, { endStream: true });
  });
  const servers: Record<'port' | 'grpc' | 'nats' | 'smtp' | 'mysql', Server> = {
    port: createServer((socket) => socket.once('data', (first) => answer(socket, first, http))),
    grpc: grpc as unknown as Server,
    nats: createServer((socket) => speakNats(socket)),
    smtp: createServer((socket) => speakSmtp(socket)),
    mysql: createServer((socket) => socket.end(mysqlError(`Access denied: ${known}`))),
  };
  const sockets = new Set<Socket>();
  const ports: Record<string, number> = {};
  for (const [name, server] of Object.entries(servers)) {
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    ports[name] = (server.address() as AddressInfo).port;
  }
  return {
    ...(ports as Record<keyof typeof servers, number>),
    minted: () => minted,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(Object.values(servers).map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

function said({ headers, url }: IncomingMessage, body = ''): string {
  const basic = Object.values(headers).flatMap((value) => {
    const [scheme, coded = ''] = String(value).split(' ');
    return scheme === 'Basic' ? [Buffer.from(coded, 'base64').toString()] : [];
  });
  return [url, ...Object.values(headers), ...basic, body].join(' ').replaceAll(/[^\x20-\x7e]/g, ' ');
}

interface HttpAnswer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

const json = (status: number, value: unknown): HttpAnswer => ({
  status,
  type: 'application/json',
  text: JSON.stringify(value),
});
const html = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** As each kind of server would say it; a server chooses the keys of its JSON, too. */
function httpAnswer(request: IncomingMessage, body: string, fresh: string | undefined): HttpAnswer {
  const { url = '' } = request;
  const text = said(request, body);
  if (fresh !== undefined) return json(200, { token: fresh });
  if (url.startsWith('/RPC2')) {
    const member = (name: string, value: string) => `<member><name>${name}</name><value>${value}</value></member>`;
    const fault = member('faultCode', '<int>10</int>') + member('faultString', `<string>${html(text)}</string>`);
    const xml = `<?xml version="1.0"?><methodResponse><fault><value><struct>${fault}</struct></value></fault></methodResponse>`;
    return { status: 200, type: 'text/xml', text: xml };
  }
  if (url.startsWith('/page')) {
    const script = `<script>console.error(${JSON.stringify(text).replaceAll('<', '\\u003c')})</script>`;
    const form = '<form action="/page/said"><input id="field" name="f"><button>Send</button></form>';
    return { status: 200, type: 'text/html', text: `<title>${html(text)}</title><p>${html(text)}</p>${form}${script}` };
  }
  if (url.includes('/api/v1/query')) return json(400, { status: 'error', errorType: 'bad_data', error: text });
  if (url.endsWith('/status')) return json(200, { value: { ready: false, message: text, nodes: [] } });
  if (url.endsWith('/summary.json')) {
    const status = { indicator: 'major', description: text };
    const part = { name: text, status: 'major_outage', impact: 'major', components: [] };
    return json(200, {
      page: { name: text },
      status,
      components: [part],
      incidents: [part],
      scheduled_maintenances: [],
    });
  }
  const names = Object.fromEntries(['name', 'state', 'reason', 'error', 'message', 'source'].map((key) => [key, text]));
  return json(url.startsWith('/fine') ? 200 : 500, { said: text, ...names, [text]: text });
}

/** By what the client says first. */
function answer(socket: Socket, first: Buffer, http: ReturnType<typeof createHttpServer>): void {
  if (/^[A-Z]+ \S+ HTTP/.test(first.toString('latin1'))) {
    http.emit('connection', socket);
    socket.unshift(first);
  } else if (first[0] === 0x2a) {
    echo(socket, first, (heard) => `-ERR you said ${heard.toString().replaceAll('\r\n', ' ')}\r\n`);
  } else if (first[0] === 0x10) {
    socket.write(mqttRefusal(first));
  } else if (first.subarray(0, 4).toString() === 'AMQP') {
    const mechanisms = [table({}), longText('PLAIN'), longText('en_US')];
    socket.write(methodFrame(0, METHOD.connectionStart, Buffer.from([0, 9]), ...mechanisms));
    socket.on('data', (heard) => {
      const text = shortText(printable(heard).slice(-200));
      socket.write(methodFrame(0, METHOD.connectionClose, short(403), text, long(0)));
    });
  } else if (first.length >= 8 && [196_608, 80_877_103].includes(first.readUInt32BE(4))) {
    speakPostgres(socket, first);
  } else {
    echo(socket, first, (heard) => heard);
  }
}

const printable = (bytes: Buffer) => bytes.toString('latin1').replaceAll(/[^\x20-\x7e]+/g, ' ');

function echo(socket: Socket, first: Buffer, reply: (heard: Buffer) => string | Buffer): void {
  socket.write(reply(first));
  socket.on('data', (heard) => socket.write(reply(heard)));
}

/** CONNACK of MQTT 5.0: bad user name or password, with a reason in words. */
function mqttRefusal(connect: Buffer): Buffer {
  const text = Buffer.from(printable(connect).slice(-90));
  const properties = Buffer.concat([Buffer.from([0x1f]), short(text.length), text]);
  const content = Buffer.concat([Buffer.from([0, 0x86, properties.length]), properties]);
  return Buffer.concat([Buffer.from([0x20, content.length]), content]);
}

function speakPostgres(socket: Socket, first: Buffer): void {
  const hear = (heard: Buffer) => {
    if (heard[0] !== 0x70) {
      // No TLS; else: the password in the clear, please.
      const isTls = heard.length >= 8 && heard.readUInt32BE(4) === 80_877_103;
      socket.write(isTls ? 'N' : Buffer.concat([Buffer.from('R'), long(8), long(3)]));
      return;
    }
    const fields = ['SFATAL', 'VFATAL', 'C28P01', `Myou said ${printable(heard)}`, `D${printable(heard)}`];
    const content = Buffer.from(`${fields.join('\0')}\0\0`);
    socket.end(Buffer.concat([Buffer.from('E'), long(content.length + 4), content]));
  };
  hear(first);
  socket.on('data', hear);
}

function speakNats(socket: Socket): void {
  const info = { server_id: 'echo', version: '2.9.0', max_payload: 1_048_576, auth_required: true, nonce: 'once' };
  socket.write(`INFO ${JSON.stringify(info)}\r\n`);
  socket.on('data', (heard) => socket.end(`-ERR 'Authorization Violation ${printable(heard)}'\r\n`));
}

function speakSmtp(socket: Socket): void {
  socket.write('220 echo.test ready\r\n');
  socket.on('data', (heard) => {
    const line = heard.toString().trim();
    if (line.startsWith('EHLO')) socket.write('250-echo.test\r\n250 AUTH PLAIN\r\n');
    else if (line === 'QUIT') socket.end('221 bye\r\n');
    else {
      const [word = ''] = line.split(' ').slice(-1);
      socket.write(`535 5.7.8 you said ${line} ${printable(Buffer.from(word, 'base64'))}\r\n`);
    }
  });
}

/** The first packet of a server that lets nobody in. */
function mysqlError(text: string): Buffer {
  const content = Buffer.concat([Buffer.from([0xff, 0x15, 0x04]), Buffer.from(text)]);
  const length = Buffer.alloc(4);
  length.writeUIntLE(content.length, 0, 3);
  return Buffer.concat([length, content]);
}
