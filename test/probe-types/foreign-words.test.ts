/** Words of a server that are names of what every object has: whatever they stand for, a run is an observation. */
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { z } from 'zod';
import { REASONS } from '../../src/model.ts';
import type { ProbeOutput, ProbeType } from '../../src/ports.ts';
import { credential } from '../../src/probe-types/credential.ts';
import { providers } from '../../src/probe-types/credential-providers.ts';
import { mqtt } from '../../src/probe-types/mqtt.ts';
import { nats } from '../../src/probe-types/nats.ts';
import { prometheus } from '../../src/probe-types/prometheus.ts';
import { redis } from '../../src/probe-types/redis.ts';
import { seleniumGrid } from '../../src/probe-types/selenium-grid.ts';
import { smtp } from '../../src/probe-types/smtp.ts';
import { statuspage } from '../../src/probe-types/statuspage.ts';
import { supervisor } from '../../src/probe-types/supervisor.ts';
import { websocket } from '../../src/probe-types/websocket.ts';
import { probe, serveRaw } from '../estate/hostile-network.ts';
import { frame, switching } from '../estate/websocket-server.ts';

const WORDS = ['constructor', '__proto__', 'toString', 'hasOwnProperty'];

/** Of those that leave a run waiting. */
const TIMEOUT_MS = 1_000;

/** Gives back the honest word, or another one in its place. */
type Say = (honest: string) => string;

interface Conversation {
  readonly type: ProbeType;
  /** @param word what a definition may name too. */
  readonly spec: (port: number, word: string) => Record<string, unknown>;
  /** What the server says whenever something came; the first unasked. `heard`: what came first. */
  readonly says: (say: Say, heard: string, word: string) => readonly (string | Buffer)[];
  /** Each answer ends its connection. */
  readonly http?: true;
  /** What comes of the honest words. */
  readonly reason?: string;
}

const of = (type: unknown) => type as ProbeType;
const at = (scheme: string) => (port: number) => ({ url: `${scheme}://127.0.0.1:${port}` });
const json = (body: unknown, status = 200, ...lines: readonly string[]) =>
  [`HTTP/1.1 ${status} X`, 'Content-Type: application/json', ...lines, '', JSON.stringify(body)].join('\r\n');
const info = (say: Say) =>
  `INFO ${JSON.stringify({ version: say('2'), server_name: say('n'), nonce: say(''), max_payload: 1 })}\r\n`;
const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
const packet = (type: number, ...fields: readonly (Buffer | string)[]) => {
  const body = Buffer.concat(fields.map((field) => Buffer.from(field as string)));
  return Buffer.concat([Buffer.from([type, body.length]), body]);
};

const CONVERSATIONS: Record<string, Conversation> = {
  redis: {
    type: of(redis),
    spec: (port) => ({ ...at('redis')(port), command: ['GET', 'x'] }),
    says: (say) => [
      '',
      bulk(
        `redis_version:${say('7')}\r\nrole:${say('master')}\r\n${say('x')}:1\r\nmaster_link_status:${say('up')}\r\n` +
          `rdb_last_bgsave_status:${say('ok')}\r\nslave0:${say('state=online')}\r\nmaxmemory:${say('1')}`,
      ) + bulk(say('reply')),
      bulk(say('reply')),
    ],
  },
  'redis that refuses': {
    type: of(redis),
    spec: at('redis'),
    says: (say) => ['', `-${say('NOAUTH')} ${say('Authentication')} required\r\n`],
    reason: 'auth',
  },
  nats: {
    type: of(nats),
    spec: (port) => ({ ...at('nats')(port), stream: 'S' }),
    says: (say) => {
      const answer = JSON.stringify({ [say('type')]: say('x'), state: { messages: 1, bytes: 1, consumer_count: 1 } });
      return [info(say), 'PONG\r\n', 'PONG\r\n', `MSG ${say('inbox')} ${say('1')} ${answer.length}\r\n${answer}\r\n`];
    },
  },
  'nats that refuses': {
    type: of(nats),
    spec: at('nats'),
    says: (say) => [info(say), `${say('-ERR')} '${say('Authorization')} ${say('Violation')}'\r\n`],
    reason: 'auth',
  },
  mqtt: {
    type: of(mqtt),
    spec: (port, word) => ({ ...at('mqtt')(port), topics: [word] }),
    says: (say, _heard, word) => [
      '',
      packet(0x20, Buffer.from([0, 0])),
      Buffer.concat([
        packet(0x90, Buffer.from([0, 1, 0])),
        packet(0x30, Buffer.from([0, word.length]), word, say('text')),
      ]),
    ],
  },
  smtp: {
    type: of(smtp),
    spec: (port) => ({ ...at('smtp')(port), mail: { from: 'a@x', to: 'b@x', deliver: true } }),
    says: (say) => [
      `220 ${say('mail')} ${say('ESMTP')}\r\n`,
      `250-${say('mail')}\r\n250-${say('AUTH')} ${say('PLAIN')}\r\n250 ${say('SIZE')} ${say('1')}\r\n`,
      `250 ${say('2.1.0')} ok\r\n`,
      `250 ${say('2.1.5')} ok\r\n`,
      `354 ${say('go')}\r\n`,
      `250 ${say('2.0.0')} ok\r\n`,
      `221 ${say('bye')}\r\n`,
    ],
  },
  'smtp that refuses': {
    type: of(smtp),
    spec: (port) => ({ ...at('smtp')(port), mail: { from: 'a@x', to: 'b@x' } }),
    says: (say) => ['220 mail\r\n', '250 mail\r\n', `550 ${say('5.7.1')} ${say('no')}\r\n`],
    reason: 'auth',
  },
  statuspage: {
    type: of(statuspage),
    http: true,
    spec: (port, word) => ({ ...at('http')(port), components: [word] }),
    says: (say, _heard, word) => [
      '',
      json({
        status: { indicator: say('none'), description: say('fine') },
        components: [
          { name: word, status: say('operational') },
          { name: say('API'), status: say('operational') },
        ],
        incidents: [{ name: say('x'), status: say('resolved'), impact: say('minor') }],
        scheduled_maintenances: [{ status: say('scheduled') }],
        [say('page')]: {},
      }),
    ],
  },
  prometheus: {
    type: of(prometheus),
    http: true,
    spec: (port) => ({ ...at('http')(port), query: 'up' }),
    says: (say) => [
      '',
      json({
        status: say('success'),
        data: { resultType: say('vector'), result: [{ metric: { [say('job')]: say('x') }, value: [1, say('1')] }] },
        warnings: [say('none')],
      }),
    ],
  },
  'prometheus that refuses': {
    type: of(prometheus),
    http: true,
    spec: (port) => ({ ...at('http')(port), query: 'up' }),
    says: (say) => ['', json({ status: 'error', errorType: say('timeout'), error: say('x') }, 503)],
    reason: 'timeout',
  },
  'selenium-grid': {
    type: of(seleniumGrid),
    http: true,
    spec: (port) => ({ ...at('http')(port), session: true }),
    says: (say) => [
      '',
      json({
        value: {
          ready: true,
          message: say('x'),
          nodes: [{ availability: say('UP'), version: say('4'), slots: [{ session: null, [say('stereotype')]: {} }] }],
        },
      }),
      json({ data: { sessionsInfo: { sessions: [{ id: say('a'), capabilities: say('{}') }] } } }),
      json({ data: { grid: { sessionQueueSize: 0, [say('x')]: say('x') } } }),
      json({ value: { sessionId: say('abc'), capabilities: { browserVersion: say('1'), [say('x')]: say('x') } } }),
      json({ value: null }),
    ],
  },
  supervisor: {
    type: of(supervisor),
    http: true,
    spec: (port, word) => ({ url: `http://127.0.0.1:${port}/RPC2`, program: word }),
    says: (say) => {
      const member = (name: string, value: string) => `<member><name>${name}</name><value>${value}</value></member>`;
      const number = (name: string) => member(say(name), `<int>${name === 'state' ? 20 : 1}</int>`);
      const text = (name: string) => member(say(name), `<string>${say('x')}</string>`);
      const members = [
        ...['start', 'stop', 'now', 'state', 'exitstatus', 'pid'].map(number),
        ...['name', 'group', 'description', 'statename', 'spawnerr', 'logfile'].map(text),
      ];
      const value = `<value><struct>${members.join('')}</struct></value>`;
      return ['', `HTTP/1.1 200 OK\r\n\r\n<methodResponse><params><param>${value}</param></params></methodResponse>`];
    },
  },
  'selenium-grid that opens no session': {
    type: of(seleniumGrid),
    http: true,
    spec: (port) => ({ ...at('http')(port), session: true }),
    says: (say) => [
      '',
      json({ value: { ready: true, nodes: [] } }),
      ...[json({}), json({})],
      json({ value: { error: say('timeout'), message: say('x') } }, 500),
    ],
    reason: 'timeout',
  },
  'supervisor that refuses': {
    type: of(supervisor),
    http: true,
    spec: (port) => ({ url: `http://127.0.0.1:${port}/RPC2`, program: 'web' }),
    says: (say) => {
      const struct = (name: string, value: string) =>
        `<struct><member><name>${name}</name><value>${value}</value></member></struct>`;
      const fault = struct('faultString', struct(say('x'), say('y')));
      return ['', `HTTP/1.1 200 OK\r\n\r\n<methodResponse><fault><value>${fault}</value></fault></methodResponse>`];
    },
    reason: 'any',
  },
  'credential of github, with scopes': {
    type: of(credential),
    http: true,
    spec: (port) => ({ ...at('http')(port), provider: 'github', token: 'token', scopes: ['write:org'] }),
    says: (say) => ['', json({ login: say('me') }, 200, `X-OAuth-Scopes: ${say('admin')}:${say('org')}`)],
  },
  websocket: {
    type: of(websocket),
    spec: (port) => ({ ...at('ws')(port), subprotocol: 'chat', exchanges: [{ send: 'x', expect: '^hello' }] }),
    says: (say, heard) => {
      const key = /^sec-websocket-key: (.*)$/im.exec(heard)?.[1]?.trim() ?? '';
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const chosen = `Sec-WebSocket-Protocol: ${say('chat')}`;
      const closing = frame(8, Buffer.concat([Buffer.from([3, 0xf3]), Buffer.from(say('because'))]));
      return [
        '',
        switching(accept, chosen, `${say('X-A')}: ${say('x')}`),
        Buffer.concat([frame(1, say('hello')), frame(9, say('ping')), closing]),
      ];
    },
  },
  ...Object.fromEntries(
    Object.keys(providers).flatMap((provider) =>
      [200, 401, 403, 429].map((status) => [
        `credential of ${provider}, answered by ${status}`,
        told(provider, status),
      ]),
    ),
  ),
};

function told(provider: string, status: number): Conversation {
  return {
    type: of(credential),
    http: true,
    spec: (port) => ({
      provider,
      token: 'token',
      ...at('http')(port),
      ...(provider === 'dockerhub' && { username: 'me' }),
    }),
    says: (say) => {
      const [word, key] = [say('x'), say('y')];
      const error = { code: word, type: word, status: word, message: word, details: [{ reason: word }], [key]: word };
      const body = { error: status === 200 ? word : error, code: word, message: word, name: word, login: word };
      const lines = [`X-OAuth-Scopes: ${word}`, `X-RateLimit-Remaining: ${word}`, `Retry-After: ${word}`];
      const whole = { ok: true, team: word, object: word, [key]: word, ...body };
      return ['', ...Array<string>(3).fill(json(whole, status, ...lines))];
    },
    reason: 'any',
  };
}

/** In every place. */
const EVERYWHERE = -1;
/** In none. */
const NOWHERE = -2;

test.each(Object.entries(CONVERSATIONS))('%s', async (_name, conversation) => {
  const { reason = 'ok' } = conversation;
  const honest = await run(conversation, NOWHERE, 'honest');
  if (reason !== 'any') expect(honest).toMatchObject({ reason });
  const places = [EVERYWHERE, ...placesOf(conversation)];
  const outputs = await Promise.all(WORDS.flatMap((word) => places.map((place) => run(conversation, place, word))));
  for (const output of outputs) {
    expect(REASONS).toContain(output.reason);
    // It can be kept and sent: there is no function in it.
    expect(() => structuredClone(output)).not.toThrow();
  }
});

function sayer(place: number, word: string): Say {
  let said = -1;
  return (honest) => {
    said += 1;
    return place === EVERYWHERE || place === said ? word : honest;
  };
}

function placesOf({ says }: Conversation): readonly number[] {
  const places: number[] = [];
  const count = (honest: string) => {
    places.push(places.length);
    return honest;
  };
  says(count, '', 'honest');
  return places;
}

async function run({ type, spec, says, http }: Conversation, place: number, word: string): Promise<ProbeOutput> {
  let connections = 0;
  const { port } = await serveRaw((socket: Socket) => {
    connections += 1;
    let pieces = says(sayer(place, word), '', word);
    let heard = 0;
    if (!http) socket.write(pieces[0] ?? '');
    socket.on('data', (data: Buffer) => {
      heard += 1;
      if (heard === 1) pieces = says(sayer(place, word), data.toString(), word);
      const piece = pieces[http ? connections : heard] ?? '';
      if (http) socket.end(piece);
      else socket.write(piece);
    });
  });
  return await probe(type, type.spec.parse(spec(port, word)) as z.output<z.ZodType>, { timeoutMs: TIMEOUT_MS });
}
