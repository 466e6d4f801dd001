/** One unary call over a connection that is open: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
import {
  type ClientHttp2Session,
  connect,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Socket } from 'node:net';
import { codeOf, messageOf } from '../errors.ts';
import { tooLarge } from '../shared/driver-stream.ts';
import { ProbeFailure } from './failure.ts';
import { explainHttpStatus } from './grpc-status.ts';
import type { Lifeline } from './lifeline.ts';

/** What one answer may hold. */
const MAX_BODY_BYTES = 64 * 2 ** 10;
const MAX_HEADER_BYTES = 16 * 2 ** 10;
/** Of the whole connection: frames that nothing else counts. */
const MAX_BYTES = 2 * 2 ** 20;
const LOOK_MS = 50;
/** As for HTTP. */
const MAX_INTERIM_ANSWERS = 16;
/** MB; nothing of ours comes near it. */
const MAX_SESSION_MEMORY = 1;

export interface Call {
  readonly isTls: boolean;
  readonly authority: string;
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly message: Buffer;
}

export interface CallResult {
  /** A gRPC status code. */
  readonly status: number;
  /** Percent-encoded. */
  readonly message: string | undefined;
  readonly body: Buffer;
}

/** Rejects with a ProbeFailure when there is no answer in gRPC. */
export async function call(socket: Socket, { message, ...request }: Call, line: Lifeline): Promise<CallResult> {
  line.enter('processing');
  return await line.until((done) => {
    const fail = (error: Error) => line.fail(explain(error));
    const session = openSession(socket, request, line);
    session.on('error', fail);
    watchBytes(socket, line);
    const stream = beginStream(session, headersOf(request, line.remainingMs()), fail);
    if (!stream) return;
    const heard = new Heard(line);
    stream.on('error', (error) => fail(refusalOf(stream.rstCode) ?? error));
    stream.on('headers', () => heard.interim());
    stream.on('response', (headers) => heard.head(headers));
    stream.on('trailers', (headers) => heard.head(headers));
    stream.on('data', (chunk: Buffer) => heard.data(chunk));
    stream.on('close', () => {
      const result = heard.result(stream.rstCode);
      if (result instanceof ProbeFailure) line.fail(result);
      else done(result);
    });
    stream.end(message);
  });
}

type Request = Omit<Call, 'message'>;

function openSession(socket: Socket, { isTls }: Request, line: Lifeline): ClientHttp2Session {
  // Each call brings its own authority; not all of them can stand in a URL.
  const session = connect(`${isTls ? 'https' : 'http'}://localhost`, {
    createConnection: () => socket,
    maxSessionMemory: MAX_SESSION_MEMORY,
    settings: { enablePush: false, maxHeaderListSize: MAX_HEADER_BYTES },
  });
  line.hold(session);
  return session;
}

/** Most frames are told to nobody: a look at what was read now and then is all there is. */
function watchBytes(socket: Socket, line: Lifeline): void {
  const timer = setInterval(() => {
    if (socket.bytesRead > MAX_BYTES) line.fail(new ProbeFailure('body', tooLarge(MAX_BYTES)));
  }, LOOK_MS);
  line.hold({ destroy: () => clearInterval(timer) });
}

/** undefined: the connection is gone already, and `fail` knows. */
function beginStream(session: ClientHttp2Session, headers: OutgoingHttpHeaders, fail: (error: Error) => void) {
  try {
    return session.request(headers, { endStream: false });
  } catch (error) {
    if (!(error instanceof Error) || !codeOf(error)?.startsWith('ERR_HTTP2_')) throw error;
    fail(error);
    return undefined;
  }
}

function headersOf({ isTls, authority, path, metadata }: Request, remainingMs: number): OutgoingHttpHeaders {
  const given = Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    ...Object.fromEntries(given),
    ':method': 'POST',
    ':scheme': isTls ? 'https' : 'http',
    ':authority': authority,
    ':path': path,
    te: 'trailers',
    'content-type': 'application/grpc',
    'user-agent': 'Brainstem',
    'grpc-timeout': `${Math.max(1, Math.floor(remainingMs))}m`,
  };
}

/** What came so far of one answer. */
class Heard {
  readonly #line: Lifeline;
  #httpStatus: number | undefined;
  #isGrpc = false;
  #status: string | undefined;
  #message: string | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #interim = 0;

  constructor(line: Lifeline) {
    this.#line = line;
  }

  interim(): void {
    this.#interim += 1;
    if (this.#interim <= MAX_INTERIM_ANSWERS) return;
    this.#line.fail(new ProbeFailure('protocol', 'a flood of interim answers (1xx)'));
  }

  /** Headers, or trailers; an answer without a message has its status in the former. */
  head(headers: IncomingHttpHeaders & { readonly ':status'?: number | undefined }): void {
    this.#httpStatus ??= headers[':status'];
    this.#isGrpc ||= headers['content-type']?.startsWith('application/grpc') ?? false;
    this.#status ??= textOf(headers['grpc-status']);
    this.#message ??= textOf(headers['grpc-message']);
  }

  data(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_BODY_BYTES) this.#line.fail(new ProbeFailure('body', 'the answer is larger than 64 KiB'));
    else this.#chunks.push(chunk);
  }

  result(rstCode: number | undefined): CallResult | ProbeFailure {
    if (this.#httpStatus === undefined) return unanswered(rstCode);
    if (this.#status !== undefined && /^\d{1,3}$/.test(this.#status)) {
      return { status: Number(this.#status), message: this.#message, body: Buffer.concat(this.#chunks) };
    }
    if (this.#httpStatus !== 200 || !this.#isGrpc) return explainHttpStatus(this.#httpStatus);
    return new ProbeFailure('protocol', 'the answer was cut off: it has no gRPC status');
  }
}

const textOf = (header: string | readonly string[] | undefined) => (typeof header === 'string' ? header : header?.[0]);

function unanswered(rstCode: number | undefined): ProbeFailure {
  const closed = 'the connection was closed before the answer was complete';
  return refusalOf(rstCode) ?? new ProbeFailure('protocol', closed);
}

/** It has no room for the stream; undefined: that is not why it ended. */
function refusalOf(rstCode: number | undefined): ProbeFailure | undefined {
  const { NGHTTP2_REFUSED_STREAM, NGHTTP2_ENHANCE_YOUR_CALM } = constants;
  if (rstCode !== NGHTTP2_REFUSED_STREAM && rstCode !== NGHTTP2_ENHANCE_YOUR_CALM) return undefined;
  return new ProbeFailure('saturated', 'it takes no more requests');
}

function explain(error: Error): Error {
  if (!codeOf(error)?.startsWith('ERR_HTTP2_')) return error;
  return new ProbeFailure('protocol', `not valid HTTP/2: ${messageOf(error)}`, { cause: error });
}
