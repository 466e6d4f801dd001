/** Reads the body of an answer: decoded, capped at every layer, and no more of it kept than is wanted. */
import type { IncomingMessage } from 'node:http';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';

/** More layers have no honest use. */
const MAX_LAYERS = 3;

export interface Body {
  /** Decoded bytes that were read. */
  readonly bytes: number;
  /** The first of them, as far as they are wanted. */
  readonly content: Buffer;
  /** Reading stopped at the cap. */
  readonly truncated: boolean;
}

interface BodyLimits {
  /** Cap on the bytes of the body, raw and after each layer of decoding. */
  readonly maxBytes: number;
  /** How many decoded bytes to keep. */
  readonly keepBytes: number;
  /** What the body is taken for, whatever its Content-Encoding says. Default: what that says. */
  readonly encoding?: string | undefined;
}

type Decoder = ReturnType<typeof createGunzip>;

const DECODERS: Readonly<Record<string, () => Decoder>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** Resolves at the end of the body or at the cap, where the caller closes the connection. */
export async function readBody(response: IncomingMessage, limits: BodyLimits, line: Lifeline): Promise<Body> {
  const decoders = decodersFor(limits.encoding ?? response.headers['content-encoding']);
  for (const decoder of decoders) {
    line.hold(decoder);
    decoder.on('error', line.fail);
  }
  line.enter('transfer');
  response.on('error', line.fail);
  try {
    return await line.until((done) => {
      const collector = new Collector(limits, (body) => {
        // Thousands of chunks may stand behind it in the same read.
        response.pause();
        done(body);
      });
      let source: IncomingMessage | Decoder = response;
      for (const decoder of decoders) {
        feed(source, decoder, limits, collector);
        source = decoder;
      }
      source.on('data', (chunk: Buffer) => collector.add(chunk));
      source.on('end', () => collector.finish(false));
    });
  } finally {
    // That the rest is cut off must not be taken for a failure of the next request.
    response.off('error', line.fail);
  }
}

/** Encodings in the order of undoing them, RFC 9110, 8.4. */
function decodersFor(header: string | undefined): readonly Decoder[] {
  if (header === undefined) return [];
  const names = header
    .toLowerCase()
    .split(',', MAX_LAYERS + 1)
    .map((name) => name.trim());
  const encodings = names.filter((name) => name !== '' && name !== 'identity').reverse();
  if (names.length > MAX_LAYERS)
    throw new ProbeFailure('protocol', `more than ${MAX_LAYERS} layers of Content-Encoding`);
  return encodings.map((name) => {
    const create = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined;
    if (!create) throw new ProbeFailure('protocol', `unknown Content-Encoding: ${name.slice(0, 40)}`);
    return create();
  });
}

/** An empty body has nothing to decode, such as that of HEAD; only a spec that names its encoding demands one. */
function feed(source: IncomingMessage | Decoder, decoder: Decoder, limits: BodyLimits, collector: Collector): void {
  let bytes = 0;
  source.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limits.maxBytes) {
      source.pause();
      collector.finish(true);
    } else if (!decoder.write(chunk)) {
      source.pause();
      decoder.once('drain', () => source.resume());
    }
  });
  source.on('end', () => {
    if (bytes === 0 && limits.encoding === undefined) collector.finish(false);
    else decoder.end();
  });
}

/** One buffer that grows: a list would hold a hundred bytes for each chunk of one. */
class Collector {
  readonly #limits: BodyLimits;
  readonly #done: (body: Body) => void;
  #content: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #kept = 0;
  #isDone = false;

  constructor(limits: BodyLimits, done: (body: Body) => void) {
    this.#limits = limits;
    this.#done = done;
  }

  add(chunk: Buffer): void {
    if (this.#isDone) return;
    const room = this.#limits.maxBytes - this.#bytes;
    this.#bytes += Math.min(chunk.length, room);
    const wanted = Math.min(chunk.length, room, this.#limits.keepBytes - this.#kept);
    if (wanted > 0) this.#keep(chunk, wanted);
    if (chunk.length > room) this.finish(true);
  }

  #keep(chunk: Buffer, count: number): void {
    const kept = this.#kept + count;
    if (kept > this.#content.length) {
      const larger = Buffer.allocUnsafe(Math.min(this.#limits.keepBytes, Math.max(kept, 2 * this.#content.length)));
      this.#content.copy(larger, 0, 0, this.#kept);
      this.#content = larger;
    }
    chunk.copy(this.#content, this.#kept, 0, count);
    this.#kept = kept;
  }

  finish(truncated: boolean): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#done({ bytes: this.#bytes, content: this.#content.subarray(0, this.#kept), truncated });
  }
}
