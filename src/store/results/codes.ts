/** Numbers that stand for words in stored results. They are on disk: never change or reuse one, only add. */
import type { Reason, VerdictKind } from '../../model.ts';

/** The usual ones are 0, which takes no byte. */
const REASON_CODES = {
  ok: 0,
  dns: 1,
  connect_refused: 2,
  connect_timeout: 3,
  unreachable: 4,
  tls: 5,
  certificate_expired: 6,
  timeout: 7,
  http_status: 8,
  body: 9,
  condition: 10,
  auth: 11,
  protocol: 12,
  not_found: 13,
  stopped: 14,
  unhealthy: 15,
  exit_code: 16,
  missed_heartbeat: 17,
  saturated: 18,
  internal: 19,
} as const satisfies Record<Reason, number>;

const VERDICT_CODES = { pass: 0, warn: 1, fail: 2, unknown: 3 } as const satisfies Record<VerdictKind, number>;

export const reasonCodes = dictionary<Reason>(REASON_CODES);
export const verdictCodes = dictionary<VerdictKind>(VERDICT_CODES);

export interface Dictionary<Word extends string> {
  code(word: Word): number;
  /** undefined: written by a newer program. */
  word(code: number): Word | undefined;
}

function dictionary<Word extends string>(codes: Readonly<Record<Word, number>>): Dictionary<Word> {
  const words = new Map(Object.entries<number>(codes).map(([word, code]) => [code, word as Word]));
  return { code: (word) => codes[word], word: (code) => words.get(code) };
}
