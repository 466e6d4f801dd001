/** Commands and replies over an open connection, one after the other: https://www.rfc-editor.org/rfc/rfc5321 */
import type { Socket } from 'node:net';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';

export interface Reply {
  readonly code: number;
  /** Without its code, line by line. */
  readonly lines: readonly string[];
}

export interface Dialogue {
  /** The reply that comes unasked: a greeting. */
  hear(): Promise<Reply>;
  /** Sends a line, or several, and resolves with the reply. One at a time. */
  say(text: string): Promise<Reply>;
  /** Sends a last line, whose reply nobody waits for. */
  leave(text: string): void;
  /** The connection, for a handshake. Throws a ProbeFailure when something was said already. */
  release(): Socket;
}

/** What one dialogue reads at most: with all of it in short lines, a moment's work. */
const MAX_BYTES = 64 * 2 ** 10;
const MAX_LINE = 4 * 2 ** 10;
const MAX_LINES = 100;

export function converse(socket: Socket, line: Lifeline): Dialogue {
  const incoming = new Incoming();
  let waiting: ((reply: Reply) => void) | undefined;
  const deliver = () => {
    if (!waiting) return;
    const reply = attempt(incoming, line);
    if (!reply) return;
    const done = waiting;
    waiting = undefined;
    done(reply);
  };
  const onData = (chunk: Buffer) => {
    if (incoming.add(chunk)) deliver();
    else line.fail(new ProbeFailure('protocol', 'it says too much'));
  };
  const onEnd = () =>
    line.fail(new ProbeFailure('protocol', 'the connection was closed before the answer was complete'));
  socket.on('data', onData).on('end', onEnd);
  const hear = () =>
    line.until<Reply>((done) => {
      waiting = done;
      deliver();
    });
  return {
    hear,
    say(text) {
      socket.write(`${text}\r\n`);
      return hear();
    },
    leave: (text) => void socket.write(`${text}\r\n`),
    release() {
      socket.off('data', onData).off('end', onEnd);
      // Said before the handshake, it would be taken for something said within it.
      if (!incoming.isEmpty()) throw new ProbeFailure('protocol', 'it speaks on before the TLS handshake');
      return socket;
    },
  };
}

function attempt(incoming: Incoming, line: Lifeline): Reply | undefined {
  try {
    return incoming.reply();
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    line.fail(error);
    return undefined;
  }
}

/** What came and is no whole reply yet. */
class Incoming {
  readonly #decoder = new TextDecoder();
  #bytes = 0;
  #rest = '';
  #lines: string[] = [];

  /** False: it is too much. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    this.#rest += this.#decoder.decode(chunk, { stream: true });
    return this.#bytes <= MAX_BYTES;
  }

  isEmpty(): boolean {
    return this.#rest === '' && this.#lines.length === 0;
  }

  /** undefined: it is not complete. */
  reply(): Reply | undefined {
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end < 0 && this.#rest.length > MAX_LINE) throw noSmtp();
      if (end < 0) return undefined;
      const text = this.#rest.slice(0, end).replace(/\r$/, '');
      this.#rest = this.#rest.slice(end + 1);
      const reply = this.#take(text);
      if (reply) return reply;
    }
  }

  /** Every line but the last has a dash behind its code. */
  #take(text: string): Reply | undefined {
    const [, code = '', dash, said = ''] = /^([2-5]\d\d)(?:([ -])(.*))?$/.exec(text) ?? [];
    if (code === '' || this.#lines.length === MAX_LINES) throw noSmtp();
    this.#lines.push(said);
    if (dash === '-') return undefined;
    const lines = this.#lines;
    this.#lines = [];
    return { code: Number(code), lines };
  }
}

function noSmtp(): ProbeFailure {
  return new ProbeFailure('protocol', 'what answers does not speak SMTP');
}
