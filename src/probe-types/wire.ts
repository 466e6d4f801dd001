/** An open connection for a protocol that we speak by ourselves: what comes is read as it is needed, and capped. */
import type { Socket } from 'node:net';
import { messageOf } from '../errors.ts';
import { TOO_LARGE } from '../shared/driver-stream.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';

/** What one run reads at most. */
const MAX_BYTES = 2 ** 20;
const MAX_LINE = 64 * 2 ** 10;
const NOTHING = Buffer.alloc(0);

/** Reads one thing; yields when it needs more than has come so far. */
export type Reading<T> = Generator<void, T>;

/**
 * Invariant: what arrived before the connection was closed is still read; only who then waits for more hears that it was.
 * Nothing is ever thrown into the event loop: what a reading throws ends the step in flight.
 */
export class Wire {
  readonly #socket: Socket;
  readonly #line: Lifeline;
  readonly #protocol: string;
  readonly #incoming: Incoming;
  #received = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  /** @param protocol its name, for messages. */
  constructor(socket: Socket, line: Lifeline, protocol: string) {
    this.#socket = socket;
    this.#line = line;
    this.#protocol = protocol;
    this.#incoming = new Incoming(protocol);
    socket.on('data', this.#receive);
    socket.on('end', this.#end);
  }

  readonly #receive = (chunk: Buffer): void => {
    this.#received += chunk.length;
    if (this.#received > MAX_BYTES) {
      this.#line.fail(new ProbeFailure('body', TOO_LARGE));
    } else {
      this.#incoming.add(chunk);
      this.#wake?.();
    }
  };

  readonly #end = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  write(bytes: Buffer | string): void {
    // The other side may have said why it closed: that is read, not our failure to write.
    if (!this.#ended) this.#socket.write(bytes);
  }

  /** Resolves with what the reading gives. One at a time. */
  read<T>(start: (incoming: Incoming) => Reading<T>): Promise<T> {
    return this.#line.until((done) => {
      const reading = start(this.#incoming);
      this.#wake = () => {
        const step = this.#attempt(reading);
        if (!step?.done) return;
        this.#wake = undefined;
        done(step.value);
      };
      this.#wake();
    });
  }

  #attempt<T>(reading: Reading<T>): IteratorResult<void, T> | undefined {
    try {
      const step = reading.next();
      if (step.done || !this.#ended) return step;
      throw new ProbeFailure('protocol', 'the connection was closed before the answer was complete');
    } catch (error) {
      const broken = () =>
        new ProbeFailure('protocol', `not valid ${this.#protocol}: ${messageOf(error)}`, { cause: error });
      this.#line.fail(error instanceof ProbeFailure ? error : broken());
      this.#wake = undefined;
      return undefined;
    }
  }

  /** Gives the connection back, for TLS over it. What came before was not protected: there must not be any of it left. */
  release(): Socket {
    this.#socket.off('data', this.#receive);
    this.#socket.off('end', this.#end);
    if (!this.#incoming.isEmpty()) throw new ProbeFailure('protocol', 'more than a greeting came before TLS');
    return this.#socket;
  }
}

/** The bytes that came and were not read yet. */
export class Incoming {
  readonly #protocol: string;
  #chunks: Buffer[] = [];
  /** What stands before it in the first chunk was read. */
  #at = 0;
  /** Not read yet. */
  #bytes = 0;

  constructor(protocol: string) {
    this.#protocol = protocol;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** Exactly so many bytes. */
  *take(count: number): Reading<Buffer> {
    if (count > MAX_BYTES) throw new ProbeFailure('body', TOO_LARGE);
    while (this.#bytes < count) yield;
    const taken = this.#joined().subarray(this.#at, this.#at + count);
    this.#pass(count);
    return taken;
  }

  /** Up to the next line end (CR LF), and without it. */
  *line(): Reading<string> {
    for (;;) {
      const all = this.#joined();
      const end = all.indexOf('\r\n', this.#at);
      if (end >= 0) {
        const text = all.toString('utf8', this.#at, end);
        this.#pass(end + 2 - this.#at);
        return text;
      }
      if (this.#bytes > MAX_LINE) throw this.stranger();
      yield;
    }
  }

  /** For bytes that nobody sends who speaks the protocol. */
  stranger(): ProbeFailure {
    return new ProbeFailure('protocol', `what answers does not speak ${this.#protocol}`);
  }

  #joined(): Buffer {
    const [first = NOTHING] = this.#chunks;
    if (this.#chunks.length <= 1) return first;
    const joined = Buffer.concat(this.#chunks).subarray(this.#at);
    this.#chunks = [joined];
    this.#at = 0;
    return joined;
  }

  #pass(count: number): void {
    this.#bytes -= count;
    this.#at += count;
    if (this.#bytes > 0) return;
    this.#chunks = [];
    this.#at = 0;
  }
}
