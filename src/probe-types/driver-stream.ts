/** A run's connection as a database driver sees it: open already, capped, and unable to throw into the event loop. */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { messageOf } from '../errors.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';

/** What one run reads at most. */
const MAX_BYTES = 2 ** 20;
export const TOO_LARGE = 'the answer is larger than 1 MiB';

/** Cuts what arrived into pieces that the driver may safely parse. Throws when the other side breaks the protocol. */
type Cutter = (chunk: Buffer) => readonly Buffer[];

/**
 * Drivers parse inside a socket's event, where an exception would end the daemon. Here everything that goes wrong on
 * the way in ends the run instead: too many bytes, an end of the connection, a parser that throws.
 */
export class DriverStream extends Duplex {
  #socket: Socket;
  readonly #line: Lifeline;
  readonly #protocol: string;
  readonly #cut: Cutter;
  #bytes = 0;
  #isDeaf = false;

  /** @param protocol its name, for messages. */
  constructor(socket: Socket, line: Lifeline, protocol: string, cut: Cutter = (chunk) => [chunk]) {
    super();
    this.#socket = socket;
    this.#socket = socket;
    this.#line = line;
    this.#protocol = protocol;
    this.#cut = cut;
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
    this.#fail(new ProbeFailure('protocol', 'the connection was closed before the answer was complete'));
    this.destroy();
  };

  /** Hands on what arrived, checked. */
  readonly receive = (chunk: Buffer): void => {
    if (this.#isDeaf) return;
    this.#bytes += chunk.length;
    try {
      if (this.#bytes > MAX_BYTES) throw new ProbeFailure('body', TOO_LARGE);
      for (const piece of this.#cut(chunk)) this.emit('data', piece);
    } catch (error) {
      const options = { cause: error };
      const broken = new ProbeFailure('protocol', `not valid ${this.#protocol}: ${messageOf(error)}`, options);
      this.#fail(error instanceof ProbeFailure ? error : broken);
    }
  };

  #fail(failure: ProbeFailure): void {
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
