/**
 * A session with a NATS server over an open connection: https://docs.nats.io/reference/reference-protocols/nats-protocol
 *
 * Not the `nats` package: it connects, reconnects and resolves names by itself, past the probe's deadline.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { Reason } from '../model.ts';
import { ProbeFailure } from './failure.ts';
import type { Incoming, Reading, Wire } from './wire.ts';

const greeting = z.object({
  server_name: z.string().optional(),
  version: z.string(),
  max_payload: z.number(),
  jetstream: z.boolean().default(false),
  tls_required: z.boolean().default(false),
  tls_available: z.boolean().default(false),
  /** To be signed by who comes with a key. */
  nonce: z.string().default(''),
  /** Lame duck mode: it is about to shut down. */
  ldm: z.boolean().default(false),
});
export type Greeting = z.output<typeof greeting>;

/** Before one answer: pings, and news of the cluster. */
const MAX_UNASKED = 100;

type Operation =
  | { readonly kind: 'INFO'; readonly text: string }
  | { readonly kind: '+OK' | 'PING' | 'PONG' }
  | { readonly kind: 'MSG'; readonly headers: string; readonly payload: string };

/** Errors have no codes; these are their beginnings in the server's source, in lower case. */
const ERRORS: readonly (readonly [start: string, reason: Reason])[] = [
  ['authorization violation', 'auth'],
  ['authentication timeout', 'auth'],
  ['authentication expired', 'auth'],
  ['authentication revoked', 'auth'],
  ['user authentication', 'auth'],
  ['account authentication', 'auth'],
  ['permissions violation', 'auth'],
  ['maximum connections exceeded', 'saturated'],
  ['maximum account active connections exceeded', 'saturated'],
  ['slow consumer', 'saturated'],
  ['server shutdown', 'unhealthy'],
  ['secure connection - tls required', 'tls'],
];

function explainNats(quoted: string): ProbeFailure {
  const text = quoted.replace(/^'|'$/g, '');
  const reason = ERRORS.find(([start]) => text.toLowerCase().startsWith(start))?.[1];
  return new ProbeFailure(reason ?? 'protocol', text.slice(0, 500));
}

/** What the server says of itself, before anything is asked. */
export async function greet(wire: Wire): Promise<Greeting> {
  const operation = await wire.read(readOperation);
  const read = operation.kind === 'INFO' ? greeting.safeParse(parseJson(operation.text)).data : undefined;
  if (!read) throw new ProbeFailure('protocol', 'what answers does not speak NATS: no greeting');
  return read;
}

/** Authenticates, and waits until the server has accepted it. */
export async function logIn(wire: Wire, identity: Readonly<Record<string, string>>, isSecured: boolean): Promise<void> {
  const options = {
    verbose: false,
    pedantic: false,
    tls_required: isSecured,
    name: 'brainstem-probe',
    lang: 'node',
    version: '1',
    protocol: 1,
    headers: true,
    no_responders: true,
    ...identity,
  };
  wire.write(`CONNECT ${JSON.stringify(options)}\r\n`);
  await ping(wire);
}

export async function ping(wire: Wire): Promise<void> {
  wire.write('PING\r\n');
  await awaitKind(wire, 'PONG');
}

/** Asks whoever answers a subject, and resolves with the answer as JSON. Rejects with `not_found` when nobody does. */
export async function request(wire: Wire, subject: string): Promise<unknown> {
  const inbox = `_INBOX.${randomBytes(12).toString('hex')}`;
  wire.write(`SUB ${inbox} 1\r\nUNSUB 1 1\r\nPUB ${subject} ${inbox} 0\r\n\r\n`);
  const { headers, payload } = await awaitKind(wire, 'MSG');
  if (/^NATS\/1\.0 503/.test(headers)) throw new ProbeFailure('not_found', `nobody answers ${subject}`);
  return parseJson(payload);
}

/** Answers the server's own pings meanwhile. */
async function awaitKind<Kind extends Operation['kind']>(wire: Wire, kind: Kind) {
  for (let unasked = 0; unasked <= MAX_UNASKED; unasked += 1) {
    const operation = await wire.read(readOperation);
    if (operation.kind === kind) return operation as Extract<Operation, { kind: Kind }>;
    if (operation.kind === 'PING') wire.write('PONG\r\n');
  }
  throw new ProbeFailure('protocol', `it says more than ${MAX_UNASKED} things that nobody asked for`);
}

function* readOperation(incoming: Incoming): Reading<Operation> {
  const text = yield* incoming.line();
  const [kind = '', ...words] = text.split(/[ \t]+/);
  switch (kind.toUpperCase()) {
    case 'INFO':
      return { kind: 'INFO', text: text.slice('INFO '.length) };
    case '+OK':
      return { kind: '+OK' };
    case 'PING':
      return { kind: 'PING' };
    case 'PONG':
      return { kind: 'PONG' };
    case 'MSG':
      // Subject, subscription, where to answer (or not), size.
      return yield* readMessage(incoming, '0', words[3] ?? words[2]);
    case 'HMSG':
      return yield* readMessage(incoming, words.at(words[4] === undefined ? 2 : 3), words[4] ?? words[3]);
    case '-ERR':
      throw explainNats(text.slice('-ERR '.length));
    default:
      throw incoming.stranger();
  }
}

/** @param headerSize bytes of headers, which stand before the payload and count for the total. */
function* readMessage(incoming: Incoming, headerSize = '', totalSize = ''): Reading<Operation> {
  const [headerBytes, totalBytes] = [headerSize, totalSize].map((size) => (/^\d{1,9}$/.test(size) ? Number(size) : -1));
  if (headerBytes === undefined || totalBytes === undefined || headerBytes < 0 || totalBytes < headerBytes) {
    throw incoming.stranger();
  }
  // With its line end.
  const all = yield* incoming.take(totalBytes + 2);
  return {
    kind: 'MSG',
    headers: all.toString('utf8', 0, headerBytes),
    payload: all.toString('utf8', headerBytes, totalBytes),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
