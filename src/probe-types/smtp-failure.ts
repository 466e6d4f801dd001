/** What the refusals of a mail server mean: by their codes, never by their text. */
import type { Reason } from '../model.ts';
import { ProbeFailure } from './failure.ts';
import type { Reply } from './smtp-dialogue.ts';

/** The first that fits. Enhanced codes are class.subject.detail: https://www.rfc-editor.org/rfc/rfc3463 */
const ENHANCED: readonly (readonly [code: RegExp, reason: Reason])[] = [
  [/^5\.7\./, 'auth'], // security or policy: credentials, relaying
  [/^[45]\.2\.2$/, 'saturated'], // mailbox full
  [/^[45]\.3\.1$/, 'saturated'], // mail system full
  [/^[45]\.4\.5$/, 'saturated'], // congestion
  [/^[45]\.1\./, 'not_found'], // no such mailbox or domain
  [/^[45]\.2\.1$/, 'not_found'], // mailbox disabled
  [/^5\.5\./, 'protocol'],
  [/^[45]\.[34]\./, 'unhealthy'], // mail system, routing
  [/^4\.7\./, 'unhealthy'], // policy, for the time being
];

/** Without an enhanced code: https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3 */
const CODES: Readonly<Record<number, Reason>> = {
  452: 'saturated',
  552: 'saturated',
  500: 'protocol',
  501: 'protocol',
  502: 'protocol',
  503: 'protocol',
  504: 'protocol',
  530: 'auth',
  534: 'auth',
  535: 'auth',
  538: 'auth',
};

/** After RCPT TO a bare 550 speaks of the mailbox, after MAIL FROM and DATA of what it does not want to take. */
const BY_STEP: Readonly<Record<string, Readonly<Record<number, Reason>>>> = {
  'RCPT TO': { 550: 'not_found', 551: 'not_found', 553: 'not_found', 554: 'auth' },
  'MAIL FROM': { 550: 'auth', 553: 'auth', 554: 'auth' },
};

const LONGEST_QUOTE = 300;

/** The server said no. */
export class SmtpRefusal extends ProbeFailure {}

/** @param quoted false: what it says may hold what was said to it. */
export function refusal(step: string, { code, lines }: Reply, quoted = true): ProbeFailure {
  if (code < 400) return new ProbeFailure('protocol', `${step} was answered with ${code}, which makes no sense`);
  const enhanced = /^[45]\.\d{1,3}\.\d{1,3}(?=\s|$)/.exec(lines[0] ?? '')?.[0];
  const words = quoted ? lines.join(' ').slice(0, LONGEST_QUOTE) : (enhanced ?? '');
  const byEnhanced = enhanced && ENHANCED.find(([pattern]) => pattern.test(enhanced))?.[1];
  const reason = byEnhanced || BY_STEP[step]?.[code] || CODES[code] || 'unhealthy';
  return new SmtpRefusal(reason, `${step} was refused: ${code} ${words}`.trimEnd());
}
