/** Probe type `websocket`: the upgrade of a connection, and a few messages over it. */
import { z } from 'zod';
import { loadLibrary } from '../library.ts';
import type { Context, ProbeOutput, ProbeType, SeriesFamily } from '../ports.ts';
import { headersOption, httpUrl } from '../shared/http-options.ts';
import { asciiHost, type Endpoint, open, routeOf, routeOptions } from './connection.ts';
import { printable } from './http-request.ts';
import { compilePattern, PATTERN_FLAGS } from './inbox.ts';
import { addressFamilies, phaseSamples, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { checkPattern } from './pattern.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { tlsOptions } from './secure.ts';
import { connectionFields, createGuards, type Guard, runOverConnection } from './server-run.ts';
import { converse, type Exchange, type Handshake, upgrade, type WebsocketDriver } from './websocket-dialogue.ts';

const MAX_EXCHANGES = 50;
/** RFC 9110, 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const PHASES = {
  resolve: 'Name resolution',
  connect: 'TCP connect',
  tls: 'TLS handshake',
  processing: 'Request sent until the connection was switched to WebSocket',
  transfer: 'The exchanges',
};

const exchange = z
  .strictObject({
    send: z.string().min(1).optional().describe('A text message to send'),
    expect: z
      .string()
      .superRefine(checkPattern(PATTERN_FLAGS))
      .optional()
      .describe(
        'Then wait for a message that matches this regular expression (RE2, linear in time); others are passed over',
      ),
  })
  .refine(({ send, expect }) => send !== undefined || expect !== undefined, { message: 'wants send, expect or both' });

const websocketSpec = z
  .strictObject({
    url: httpUrl(['ws:', 'wss:'])
      .refine((text) => !text.includes('#'), 'has a fragment, which a WebSocket cannot have')
      .describe('ws://HOST:PORT/PATH, or wss:// for TLS; userinfo in it is sent as basic authentication'),
    headers: headersOption()
      .refine((headers) => !Object.keys(headers).some((name) => /^sec-websocket-/i.test(name)), {
        message: 'names a header of the handshake, which Brainstem sets itself (see subprotocol)',
      })
      .default({})
      .describe('Headers of the request, such as Origin or Authorization; one with an empty value is not sent'),
    subprotocol: z
      .string()
      .regex(TOKEN, 'is not a subprotocol: a single word')
      .optional()
      .describe('Subprotocol to ask for, which the server must choose'),
    exchanges: z
      .array(exchange)
      .max(MAX_EXCHANGES)
      .default([])
      .describe('Messages to send and to expect, in order. Default: the upgrade alone'),
    tls: tlsOptions.optional().describe('Client certificate, authorities, server name; needs wss://'),
    ...routeOptions,
  })
  .refine(({ url, tls }) => tls === undefined || isSecure(url), {
    path: ['tls'],
    message: 'needs a URL that starts with wss://',
  });
type WebsocketSpec = z.output<typeof websocketSpec>;

const families: readonly SeriesFamily[] = [
  {
    name: 'probe_websocket_status_code',
    help: 'Status code of the answer to the handshake; 0 without one.',
    sample: ({ status }) => (typeof status === 'number' ? status : 0),
  },
  {
    name: 'probe_websocket_connection_upgraded',
    help: 'Whether the connection was switched to WebSocket.',
    sample: ({ upgraded }) => (upgraded === true ? 1 : 0),
  },
  {
    name: 'probe_websocket_duration_seconds',
    help: 'Duration of each phase; processing is the handshake, transfer are the messages.',
    sample: phaseSamples,
  },
  ...addressFamilies,
  ...tlsFamilies,
];

interface Prepared {
  readonly spec: WebsocketSpec;
  readonly endpoint: Endpoint;
  readonly handshake: Handshake;
  readonly exchanges: readonly Exchange[];
  /** undefined: without TLS. */
  readonly guard: Guard | undefined;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createWebsocket(resolver: NameResolver = createResolver()): ProbeType<typeof websocketSpec> {
  const createGuard = createGuards(['http/1.1']);
  const prepare = oncePerSpec((spec: WebsocketSpec): Prepared => {
    const endpoint = endpointOf(spec);
    const insecure = spec.tls?.insecure_skip_verify ?? false;
    const guard = isSecure(spec.url) ? createGuard(endpoint.host, spec.tls, insecure) : undefined;
    return { spec, endpoint, handshake: handshakeOf(spec), exchanges: spec.exchanges.map(compileExchange), guard };
  });
  return {
    name: 'websocket',
    summary: 'A WebSocket: that a connection is upgraded, and that messages over it are answered as expected',
    spec: websocketSpec,
    mainOption: 'url',
    example: `- name: live-updates
  websocket:
    url: "ws://127.0.0.1:8080/live"
    exchanges:
      - send: '{"type":"ping"}'
        expect: '"type":\\s*"pong"'
`,
    fields: {
      status: { type: 'double', summary: 'Status code of the answer to the handshake: 101 when it switched' },
      upgraded: { type: 'bool', summary: 'The connection was switched to WebSocket' },
      subprotocol: { type: 'string', summary: 'What the server chose; empty when it chose none' },
      message: { type: 'string', summary: 'The message that was expected last, first 16 KiB' },
      ...connectionFields(PHASES),
    },
    families,
    target: ({ url }) => printable(new URL(url)),
    remote: (spec) => endpointOf(spec).host,
    run: (spec, _input, context) => runWebsocket(prepare(spec), resolver, context),
  };
}

export const websocket = createWebsocket();

async function runWebsocket(plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  const driver = loadLibrary<{ readonly WebSocket: WebsocketDriver }>('ws');
  return await runOverConnection(context, PHASES, async (line, { seen, fields }) => {
    fields['upgraded'] = false;
    const { socket } = await open(plan.endpoint, routeOf(plan.spec), line, resolver, seen);
    const secured = plan.guard ? await plan.guard(socket, line, seen, context.clock.now()) : socket;
    const heard = { status: undefined as number | undefined, message: undefined as string | undefined };
    try {
      const upgraded = await upgrade(driver.WebSocket, secured, plan.handshake, line, heard);
      Object.assign(fields, { upgraded: true, subprotocol: upgraded.subprotocol });
      await converse(upgraded, plan.exchanges, line, heard);
    } finally {
      Object.assign(fields, heard);
    }
  });
}

function isSecure(url: string): boolean {
  return URL.canParse(url) && new URL(url).protocol === 'wss:';
}

function endpointOf({ url }: WebsocketSpec): Endpoint {
  const { hostname, port } = new URL(url);
  return { host: asciiHost(hostname), port: port === '' ? (isSecure(url) ? 443 : 80) : Number(port) };
}

function handshakeOf({ url, headers, subprotocol: asked }: WebsocketSpec): Handshake {
  const sent = Object.entries(headers).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return {
    url,
    headers: { 'User-Agent': 'Brainstem', ...Object.fromEntries(sent) },
    subprotocols: asked === undefined ? [] : [asked],
  };
}

function compileExchange({ send, expect }: WebsocketSpec['exchanges'][number]): Exchange {
  return { send, expected: expect === undefined ? undefined : compilePattern(expect) };
}
