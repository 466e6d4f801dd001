/** A WebSocket (RFC 6455) over an open connection: the handshake, and messages both ways. */
import type { ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { codeOf } from '../errors.ts';
import type { Reason } from '../model.ts';
import { TOO_LARGE } from '../shared/driver-stream.ts';
import { ProbeFailure } from './failure.ts';
import { Inbox, type Pattern } from './inbox.ts';
import type { Lifeline } from './lifeline.ts';

/** Loaded by who needs it: it weighs 3 MB. */
export type WebsocketDriver = typeof WebSocket;

export interface Handshake {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly subprotocols: readonly string[];
}

export interface Exchange {
  readonly send: string | undefined;
  readonly expected: Pattern | undefined;
}

/** What one run reads at most, over all messages. */
const MAX_BYTES = 2 ** 20;
/** Of one message: so many bytes become text. */
const MAX_TEXT_BYTES = 16 * 2 ** 10;
const MAX_FRAGMENTS = 1_000;
/** Pings and pongs. */
const MAX_SIGNS = 1_000;
/** As for HTTP. */
const MAX_HEADER_BYTES = 64 * 2 ** 10;
const MAX_INTERIM_ANSWERS = 16;

/** Close codes (RFC 6455, 7.4.1, and those that are registered or common) that say more than that it was closed. */
const CLOSE_REASONS: Readonly<Record<number, Reason>> = {
  1001: 'unhealthy', // it goes away
  1008: 'auth', // against its policy
  1009: 'body', // what we sent is too large for it
  1011: 'unhealthy', // an error of its own
  1012: 'unhealthy', // it restarts
  1013: 'saturated', // try again later
  3000: 'auth', // unauthorized
  3003: 'auth', // forbidden
  4401: 'auth',
  4403: 'auth',
};

interface Upgraded {
  readonly client: WebSocket;
  readonly inbox: Inbox;
  readonly subprotocol: string;
}

/** @param heard gets the status of the answer, also when the handshake fails. */
export async function upgrade(
  Driver: WebsocketDriver,
  socket: Socket,
  handshake: Handshake,
  line: Lifeline,
  heard: { status: number | undefined },
): Promise<Upgraded> {
  line.enter('processing');
  const inbox = new Inbox(line);
  const client = await line.until<WebSocket>((done) => {
    const made = createClient(Driver, socket, handshake, line);
    made.on('upgrade', ({ statusCode }) => {
      heard.status = statusCode;
    });
    made.on('unexpected-response', (_request, { statusCode }) => {
      heard.status = statusCode;
      line.fail(new ProbeFailure('http_status', `it answered ${statusCode} instead of switching to WebSocket (101)`));
    });
    listen(made, inbox, line);
    made.on('open', () => done(made));
  });
  return { client, inbox, subprotocol: client.protocol };
}

function createClient(
  Driver: WebsocketDriver,
  socket: Socket,
  { url, headers, subprotocols }: Handshake,
  line: Lifeline,
): WebSocket {
  return new Driver(url, [...subprotocols], {
    createConnection: () => socket,
    headers: { ...headers },
    maxHeaderSize: MAX_HEADER_BYTES,
    // Nothing to unpack: what is read is what was sent.
    perMessageDeflate: false,
    maxPayload: MAX_BYTES,
    maxFragments: MAX_FRAGMENTS,
    finishRequest: (outgoing) => send(outgoing, line),
  });
}

function send(outgoing: ClientRequest, line: Lifeline): void {
  let interim = 0;
  outgoing.on('information', () => {
    interim += 1;
    if (interim > MAX_INTERIM_ANSWERS) line.fail(new ProbeFailure('protocol', 'a flood of interim answers (1xx)'));
  });
  outgoing.end();
}

function listen(client: WebSocket, inbox: Inbox, line: Lifeline): void {
  let bytes = 0;
  let signs = 0;
  client.on('message', (data) => {
    // A Buffer, as long as `binaryType` is left as it is.
    const message = data as Buffer;
    bytes += message.length;
    if (bytes > MAX_BYTES) line.fail(new ProbeFailure('body', TOO_LARGE));
    else inbox.receive(message.toString('utf8', 0, MAX_TEXT_BYTES));
  });
  const countSign = () => {
    signs += 1;
    if (signs > MAX_SIGNS) line.fail(new ProbeFailure('protocol', 'a flood of pings and pongs'));
  };
  client.on('ping', countSign);
  client.on('pong', countSign);
  client.on('error', (error) => line.fail(explain(error)));
  client.on('close', (code, reason) => line.fail(closed(code, reason.toString())));
}

function explain(error: Error): Error {
  if (codeOf(error) !== 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return error;
  return new ProbeFailure('body', TOO_LARGE, { cause: error });
}

function closed(code: number, why: string): ProbeFailure {
  // What `ws` calls a connection that ended without a word.
  if (code === 1006) return new ProbeFailure('protocol', 'the connection was closed before the answer was complete');
  const words = why === '' ? '' : `: ${why}`;
  return new ProbeFailure(CLOSE_REASONS[code] ?? 'protocol', `it closed the WebSocket (${code})${words}`);
}

/** @param heard gets the message that answered last. */
export async function converse(
  { client, inbox }: Upgraded,
  exchanges: readonly Exchange[],
  line: Lifeline,
  heard: { message: string | undefined },
): Promise<void> {
  line.enter('transfer');
  for (const { send: text, expected } of exchanges) {
    if (text !== undefined) await write(client, text, line);
    if (expected) heard.message = await inbox.expect(expected);
  }
  client.close(1_000);
}

function write(client: WebSocket, text: string, line: Lifeline): Promise<void> {
  return line.until((done) => {
    client.send(text, (error) => {
      // It is closing: the event of its end says why.
      if (error) client.terminate();
      else done();
    });
  });
}
