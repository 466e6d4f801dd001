/** The listening side of a dialogue over a connection: what was heard, and what is waited for. */
import type { Socket } from 'node:net';
import type { RE2JS } from 're2js';
import type { Reason } from '../model.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';

export interface Expectation {
  readonly match: RE2JS;
  /** As written, for messages. */
  readonly source: string;
  /** What may be sent instead, and what that means. */
  readonly fail: readonly Refusal[];
  /** Looks at whole lines, one by one, without their ends; else at everything that came. */
  readonly byLine: boolean;
}

interface Refusal {
  readonly reason: Reason;
  readonly match: RE2JS;
  /** As written, for messages. */
  readonly source: string;
}

/** What the groups of a match hold, by number and by name. */
export type Captures = ReadonlyMap<string, string>;

/** Where an ear leaves what it learns, also when the dialogue fails. */
export interface Heard {
  banner: string | undefined;
  /** The server has said all it would, and it was not what was expected. */
  isUnmet: boolean;
}

const MAX_BANNER = 4 * 2 ** 10;
/** What one expectation reads at most: together they bound the time spent on matching. */
const MAX_HEARD = 16 * 2 ** 10;
const MAX_PIECES = 500;

/** Collects what arrives, and wakes the expectation that waits for it. */
export class Ear {
  readonly #heard: Heard;
  readonly #line: Lifeline;
  #socket: Socket | undefined;
  #decoder = new TextDecoder();
  #unmatched = '';
  /** Characters of whole lines that were looked at in vain, and pieces that came, since the expectation began. */
  #passed = 0;
  #pieces = 0;
  #hasEnded = false;
  #waiting: { readonly expectation: Expectation; readonly done: (captures: Captures) => void } | undefined;

  constructor(heard: Heard, line: Lifeline) {
    this.#heard = heard;
    this.#line = line;
  }

  /** Listens to this socket from now on. What came over another one and was not matched is forgotten. */
  attach(socket: Socket): void {
    this.#socket = socket;
    this.#decoder = new TextDecoder();
    this.#unmatched = '';
    socket.on('data', this.#hear);
    socket.on('end', this.#end);
  }

  detach(): void {
    this.#socket?.off('data', this.#hear);
    this.#socket?.off('end', this.#end);
  }

  /** Resolves when the expectation is met. Rejects with a ProbeFailure. */
  listen(expectation: Expectation): Promise<Captures> {
    return this.#line.until((done) => {
      this.#waiting = { expectation, done };
      this.#passed = 0;
      this.#pieces = 0;
      this.#match();
    });
  }

  readonly #hear = (chunk: Buffer): void => {
    const text = this.#decoder.decode(chunk, { stream: true });
    this.#unmatched = (this.#unmatched + text).slice(0, MAX_HEARD);
    this.#heard.banner = ((this.#heard.banner ?? '') + text).slice(0, MAX_BANNER);
    this.#pieces += 1;
    this.#match();
  };

  readonly #end = (): void => {
    this.#hasEnded = true;
    this.#match();
  };

  #match(): void {
    if (!this.#waiting) return;
    const { expectation, done } = this.#waiting;
    const found = expectation.byLine ? this.#lookAtLines(expectation) : this.#lookAtText(expectation);
    if (found) this.#waiting = undefined;
    if (!found) this.#giveUpAtTheEnd(expectation);
    else if ('captures' in found) done(found.captures);
    else this.#line.fail(new ProbeFailure(found.reason, `it sent ${found.source} instead of ${expectation.source}`));
  }

  /** Goes on behind the match, so that the next expectation sees only what followed. */
  #lookAtText(expectation: Expectation): Found | undefined {
    const found = look(this.#wholeEnough(expectation.match), expectation);
    if (found && 'captures' in found) this.#unmatched = this.#unmatched.slice(found.end);
    return found;
  }

  /** What a named group captures must not be cut where a packet ended: then only whole lines count. */
  #wholeEnough(match: RE2JS): string {
    if (this.#hasEnded || Object.keys(match.namedGroups()).length === 0) return this.#unmatched;
    return this.#unmatched.slice(0, this.#unmatched.lastIndexOf('\n') + 1);
  }

  #lookAtLines(expectation: Expectation): Found | undefined {
    for (;;) {
      const end = this.#unmatched.indexOf('\n');
      if (end < 0 && !(this.#hasEnded && this.#unmatched !== '')) return undefined;
      const line = end < 0 ? this.#unmatched : this.#unmatched.slice(0, end);
      this.#unmatched = this.#unmatched.slice(line.length + 1);
      this.#passed += line.length + 1;
      const found = look(line.replace(/\r$/, ''), expectation);
      if (found) return found;
    }
  }

  #giveUpAtTheEnd({ source }: Expectation): void {
    const isFull = this.#passed + this.#unmatched.length >= MAX_HEARD || this.#pieces >= MAX_PIECES;
    if (!this.#hasEnded && !isFull) return;
    this.#heard.isUnmet = true;
    const what = this.#hasEnded ? 'the connection was closed before it sent' : 'much was received, but not';
    this.#line.fail(new ProbeFailure('protocol', `${what} ${source}`));
  }
}

type Found = { readonly captures: Captures; readonly end: number } | Refusal;

function look(text: string, { match, fail }: Expectation): Found | undefined {
  const matcher = match.matcher(text);
  if (!matcher.find()) return fail.find((refusal) => refusal.match.matcher(text).find());
  const captures = new Map<string, string>();
  for (let group = 1; group <= matcher.groupCount(); group += 1) captures.set(`${group}`, matcher.group(group) ?? '');
  for (const name of Object.keys(match.namedGroups())) captures.set(name, matcher.group(name) ?? '');
  return { captures, end: matcher.end() };
}
