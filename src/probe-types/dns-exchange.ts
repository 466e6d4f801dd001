/** One question to a name server and the bytes of its answer, over UDP, TCP or TLS. */
import type { Socket } from 'node:net';
import { type Endpoint, open, type Route } from './connection.ts';
import { openDatagram } from './datagram.ts';
import { encodeQuestion, hasId, isTruncated, type Question } from './dns-message.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import type { NameResolver } from './resolve.ts';
import { type ContextSource, type Seen, secure } from './secure.ts';

export type Transport = 'udp' | 'tcp' | 'tls';

/** How a server is reached; prepared once. */
export interface Access {
  readonly server: Endpoint;
  readonly transport: Transport;
  readonly route: Route;
  readonly tls: { readonly context: ContextSource; readonly host: string; readonly insecure: boolean };
}

export interface Exchange {
  readonly line: Lifeline;
  readonly resolver: NameResolver;
  readonly now: number;
  /** Told what is learnt on the way, also when the exchange fails. */
  readonly seen: Seen & { transport: Transport };
}

/** The question is sent again after this time without an answer: one lost datagram is no outage. */
const RESEND_MS = 2_000;

/** The bytes of an answer with the question's id. Rejects with a ProbeFailure. */
export async function ask(question: Question, access: Access, exchange: Exchange): Promise<Buffer> {
  const { line, seen } = exchange;
  if (access.transport !== 'udp') return await askOverStream(question, access, exchange);
  const message = await askOverUdp(question, access, exchange);
  if (!isTruncated(message)) return message;
  line.release();
  seen.transport = 'tcp';
  try {
    return await askOverStream(question, access, exchange);
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    const cut = 'the answer over UDP was cut, and over TCP';
    throw error.withMessage(`${cut}: ${error.message}`);
  }
}

async function askOverUdp(question: Question, access: Access, { line, resolver, seen }: Exchange): Promise<Buffer> {
  const socket = await openDatagram(access.server, access.route, line, resolver, seen);
  line.enter('processing');
  const packet = encodeQuestion(question);
  const timer = setInterval(() => socket.send(packet), RESEND_MS);
  let strays = 0;
  try {
    return await line.until((done) => {
      socket.on('message', (message) => {
        // RFC 5452, 9.1: what does not match may be forged, and the true answer still come.
        if (hasIdOrFails(message, question.id, line)) done(message);
        else strays += 1;
      });
      socket.send(packet);
    });
  } catch (error) {
    if (strays === 0 || !(error instanceof ProbeFailure) || error.reason !== 'timeout') throw error;
    throw new ProbeFailure('protocol', 'all that came before the deadline belongs to other questions', {
      cause: error,
    });
  } finally {
    clearInterval(timer);
  }
}

function hasIdOrFails(message: Buffer, id: number, line: Lifeline): boolean {
  try {
    return hasId(message, id);
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    line.fail(error);
    return false;
  }
}

/** RFC 7766, 8: each message behind its length. DNS over TLS is the same inside (RFC 7858). */
async function askOverStream(question: Question, access: Access, exchange: Exchange): Promise<Buffer> {
  const { line, resolver, seen } = exchange;
  const connection = await open(access.server, access.route, line, resolver, seen);
  const socket = access.transport === 'tls' ? await secured(connection.socket, access, exchange) : connection.socket;
  line.enter('processing');
  const packet = encodeQuestion(question);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  return await line.until((done) => {
    readMessage(socket, line, done);
    socket.write(Buffer.concat([length, packet]));
  });
}

function secured(socket: Socket, { tls }: Access, { line, now, seen }: Exchange): Promise<Socket> {
  const { host, insecure } = tls;
  return secure(socket, { host, context: tls.context(), insecure, protocols: ['dot'], now, seen }, line);
}

/** Fills first the two bytes of the length, then as many as they say. What follows is not listened to. */
function readMessage(socket: Socket, line: Lifeline, done: (message: Buffer) => void): void {
  let wanted = Buffer.alloc(2);
  let filled = 0;
  let isLength = true;
  socket.on('data', (chunk: Buffer) => {
    for (let rest = chunk; rest.length > 0 && filled < wanted.length; ) {
      const taken = rest.copy(wanted, filled);
      filled += taken;
      rest = rest.subarray(taken);
      if (filled === wanted.length && isLength) {
        wanted = Buffer.alloc(wanted.readUInt16BE());
        filled = 0;
        isLength = false;
      }
    }
    if (!isLength && filled === wanted.length) done(wanted);
  });
  socket.on('end', () => {
    line.fail(new ProbeFailure('protocol', 'the connection was closed before the answer was complete'));
  });
}
