/** A dialogue over a connection: sends and expectations, in order. */
import type { Socket } from 'node:net';
import type { RE2JS } from 're2js';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';

export type Step = { readonly send: string } | { readonly expect: RE2JS; readonly source: string };

const MAX_BANNER = 4 * 2 ** 10;
/** What one expectation reads at most: together they bound the time spent on matching. */
const MAX_UNMATCHED = 16 * 2 ** 10;
const MAX_PIECES = 500;

/** @param heard gets what the server sent, also when the dialogue fails. */
export async function converse(
  socket: Socket,
  steps: readonly Step[],
  heard: { banner: string | undefined },
  line: Lifeline,
): Promise<void> {
  line.enter('processing');
  const ear = new Ear(socket, heard, line);
  for (const step of steps) {
    if ('send' in step) await write(socket, step.send, line);
    else await line.until<void>((done) => ear.listen(step.expect, step.source, done));
  }
}

function write(socket: Socket, text: string, line: Lifeline): Promise<void> {
  return line.until((done) => {
    socket.write(text, (error) => (error ? line.fail(error) : done()));
  });
}

/** Collects what arrives, and wakes the expectation that waits for it. */
class Ear {
  readonly #heard: { banner: string | undefined };
  readonly #line: Lifeline;
  readonly #decoder = new TextDecoder();
  #unmatched = '';
  #pieces = 0;
  #ended = false;
  #waiting: { readonly expect: RE2JS; readonly source: string; readonly done: () => void } | undefined;

  constructor(socket: Socket, heard: { banner: string | undefined }, line: Lifeline) {
    this.#heard = heard;
    this.#line = line;
    socket.on('data', (chunk) => this.#hear(chunk));
    socket.on('end', () => {
      this.#ended = true;
      this.#match();
    });
  }

  listen(expect: RE2JS, source: string, done: () => void): void {
    this.#waiting = { expect, source, done };
    this.#pieces = 0;
    this.#match();
  }

  #hear(chunk: Buffer): void {
    const text = this.#decoder.decode(chunk, { stream: true });
    this.#unmatched = (this.#unmatched + text).slice(0, MAX_UNMATCHED);
    this.#heard.banner = ((this.#heard.banner ?? '') + text).slice(0, MAX_BANNER);
    this.#pieces += 1;
    this.#match();
  }

  /** Goes on behind the match, so that the next expectation sees only what followed. */
  #match(): void {
    if (!this.#waiting) return;
    const { expect, source, done } = this.#waiting;
    const matcher = expect.matcher(this.#unmatched);
    if (matcher.find()) {
      this.#unmatched = this.#unmatched.slice(matcher.end());
      this.#waiting = undefined;
      done();
    } else if (this.#ended) {
      this.#line.fail(new ProbeFailure('protocol', `the connection was closed before it sent ${source}`));
    } else if (this.#unmatched.length === MAX_UNMATCHED || this.#pieces === MAX_PIECES) {
      this.#line.fail(new ProbeFailure('protocol', `much was received, but not ${source}`));
    }
  }
}
