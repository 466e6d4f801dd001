/** Whole messages that arrive, such as datagrams, and the expectation that waits for one of them. */
import { RE2JS } from 're2js';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';

export interface Pattern {
  readonly expression: RE2JS;
  readonly source: string;
}

/** Flags of the patterns that messages are matched against: ^ and $ are ends of lines. */
export const PATTERN_FLAGS = RE2JS.MULTILINE;

export function compilePattern(source: string): Pattern {
  return { expression: RE2JS.compile(source, PATTERN_FLAGS), source };
}

/** What of a message is matched, and how many one run reads: together they bound the time spent on matching. */
const MAX_MATCHED = 16 * 2 ** 10;
const MAX_MESSAGES = 100;

export class Inbox {
  readonly #line: Lifeline;
  #unread: string[] = [];
  #count = 0;
  #wake: (() => void) | undefined;

  constructor(line: Lifeline) {
    this.#line = line;
  }

  receive(message: string): void {
    this.#count += 1;
    if (this.#count > MAX_MESSAGES) {
      const flood = `more than ${MAX_MESSAGES} messages came, but none as expected`;
      this.#line.fail(new ProbeFailure('protocol', flood));
      return;
    }
    this.#unread.push(message.slice(0, MAX_MATCHED));
    this.#wake?.();
  }

  /**
   * The next message that matches; without a pattern, the next one. Others are passed over. One that came before the
   * connection failed still counts.
   */
  async expect(pattern: Pattern | undefined): Promise<string> {
    let passed = 0;
    const find = () => {
      for (let message = this.#unread.shift(); message !== undefined; message = this.#unread.shift()) {
        if (!pattern || pattern.expression.matcher(message).find()) return message;
        passed += 1;
      }
      return undefined;
    };
    const found = find();
    if (found !== undefined) return found;
    try {
      return await this.#line.until((done) => {
        this.#wake = () => {
          const message = find();
          if (message !== undefined) done(message);
        };
      });
    } catch (error) {
      if (!(error instanceof ProbeFailure) || error.reason !== 'timeout') throw error;
      throw missing(passed, pattern, error);
    } finally {
      this.#wake = undefined;
    }
  }
}

/** What the deadline means here: silence, or the wrong words. */
function missing(passed: number, pattern: Pattern | undefined, cause: ProbeFailure): ProbeFailure {
  if (passed === 0) return new ProbeFailure('timeout', 'no answer came before the deadline', { cause });
  const what = passed === 1 ? 'an answer came, but it does' : `${passed} answers came, but they do`;
  return new ProbeFailure('protocol', `${what} not match ${pattern?.source}`, { cause });
}
