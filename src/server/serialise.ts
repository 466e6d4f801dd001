/** Answers as JSON text, without secrets. */

/** Keys whose values name definitions and states: everything else refers to them, so they are never redacted. */
const NAMES: ReadonlySet<string> = new Set([
  'name',
  'type',
  'group',
  'severity',
  'state',
  'reason',
  'kind',
  'probe',
  'remediation',
  'notifier',
  'subject',
  'source',
]);

/** Serialises an answer with every other string redacted. */
export function stringify(answer: unknown, redact: (text: string) => string): string {
  return JSON.stringify(answer, (key, value: unknown) => {
    if (typeof value === 'bigint') return Number(value);
    return typeof value === 'string' && !NAMES.has(key) ? redact(value) : value;
  });
}
