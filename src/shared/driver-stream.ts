/** A connection as a database driver sees it: open already, capped, and unable to throw into the event loop. */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { messageOf } from '../errors.ts';
import { ExchangeFailure } from './exchange-failure.ts';

/** What one exchange reads at most, unless it says otherwise. */
const MAX_BYTES = 2 ** 20;
export const TOO_LARGE = tooLarge(MAX_BYTES);

/** `maxBytes`: whole MiB. */
export function tooLarge(maxBytes: number): string {
  return `the answer is larger than ${maxBytes >> 20} MiB`;
}

/** Whoever waits for the exchange. */
export interface Line {
  /** Ends it, once. */
  readonly fail: (error: Error) => void;
  /** Destroys the stream at its end. */
  hold(opened: { destroy(): void }): void;
}

/** Cuts what arrived into pieces that the driver may safely parse. Throws, and says how, when the other side breaks the rules. */
type Cutter = (chunk: Buffer) => readonly Buffer[];

/**
 * Drivers parse inside a socket's event, where an exception would end the daemon. Here everything that goes wrong on
 * the way in ends the exchange instead: too many bytes, an end of the connection, a parser that throws.
 */
export class DriverStream extends Duplex {
  #socket: Socket;
  readonly #line: Line;
  readonly #protocol: string;
  readonly #cut: Cutter;
  readonly #maxBytes: number;
  #bytes = 0;
  #isDeaf = false;

  /** @param protocol its name, for messages. */
  constructor(
    socket: Socket,
    line: Line,
    protocol: string,
    cut: Cutter = (chunk) => [chunk],
    maxBytes: number = MAX_BYTES,
  ) {
    super();
    this.#socket = socket;
    this.#line = line;
    this.#protocol = protocol;
    this.#cut = cut;
    this.#maxBytes = maxBytes;
    line.hold(this);
    this.on('error', line.fail);
    this.attach(socket);
  }

  /** The connection as it is, without this stream: for a handshake in the middle of it. */
  detach(): Socket {
    return this.#socket.off('data', this.receive).off('close', this.#closed);
  }

  /** Goes on over what the connection has become. */
  attach(socket: Socket): void {
    this.#socket = socket.on('data', this.receive).on('close', this.#closed);
  }

  readonly #closed = (): void => {
    this.#fail(new ExchangeFailure('connection_closed', 'the connection was closed before the answer was complete'));
    this.destroy();
  };

  /** Hands on what arrived, checked. */
  readonly receive = (chunk: Buffer): void => {
    if (this.#isDeaf) return;
    this.#bytes += chunk.length;
    try {
      if (this.#bytes > this.#maxBytes) throw new ExchangeFailure('answer_too_large', tooLarge(this.#maxBytes));
      this.#handOver(this.#cut(chunk));
    } catch (error) {
      this.#fail(error as Error);
    }
  };

  #handOver(pieces: readonly Buffer[]): void {
    try {
      for (const piece of pieces) this.emit('data', piece);
    } catch (error) {
      const message = `not valid ${this.#protocol}: ${messageOf(error)}`;
      throw new ExchangeFailure('protocol_broken', message, { cause: error });
    }
  }

  #fail(failure: Error): void {
    this.#isDeaf = true;
    this.#line.fail(failure);
  }

  /** Data is handed over as it arrives; nothing is ever buffered to be read. */
  override _read(): void {}

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, encoding, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#isDeaf = true;
    this.#socket.destroy();
    done(error);
  }

  // What drivers do to a socket that they have made themselves.

  connect(): this {
    process.nextTick(() => this.emit('connect'));
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }
}
