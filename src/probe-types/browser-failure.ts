/** What a browser's complaints mean. */
import { messageOf } from '../errors.ts';
import type { Reason } from '../model.ts';
import { ProbeFailure } from './failure.ts';

/** By Chromium's net error, first match: https://source.chromium.org/chromium/chromium/src/+/main:net/base/net_error_list.h */
const NET_ERRORS: readonly (readonly [RegExp, Reason, string])[] = [
  [/^NAME_|^DNS_|^ICANN_/, 'dns', 'the name has no address'],
  [/^CONNECTION_REFUSED/, 'connect_refused', 'connection refused'],
  [/^CONNECTION_TIMED_OUT|^TIMED_OUT/, 'connect_timeout', 'connection timed out'],
  [/^ADDRESS_|^INTERNET_|^NETWORK_|^CONNECTION_FAILED/, 'unreachable', 'not to be reached'],
  [/^CERT_DATE_INVALID/, 'certificate_expired', 'the certificate is not valid now'],
  [/^CERT_|^SSL_|^BAD_SSL_|^ECH_/, 'tls', 'the certificate or the TLS handshake is not accepted'],
  [/^TOO_MANY_REDIRECTS/, 'protocol', 'more redirects than the browser follows'],
  [/^INVALID_AUTH|_AUTH_/, 'auth', 'it wants other credentials'],
];

const NET = /net::ERR_([A-Z0-9_]+)/;

/** Of an error that playwright threw while `doing` something. Errors of the browser itself are thrown on. */
export function failureOf(error: unknown, doing: string, otherwise: Reason): ProbeFailure {
  if (error instanceof ProbeFailure) return error;
  const options = { cause: error };
  const text = messageOf(error);
  const code = NET.exec(text)?.[1];
  if (code !== undefined) {
    const known = NET_ERRORS.find(([pattern]) => pattern.test(code));
    const [reason, words] = known ? [known[1], known[2]] : (['protocol', 'the answer cannot be used'] as const);
    return new ProbeFailure(reason, `${words} (${code})`, options);
  }
  if (/page crashed|Target crashed/i.test(text)) return new ProbeFailure('unhealthy', 'the page crashed', options);
  if (/Timeout \d+ms exceeded/.test(text)) return new ProbeFailure(otherwise, `${doing} took too long`, options);
  return new ProbeFailure(otherwise, `${doing}: ${firstLine(text)}`, options);
}

/** Without the call log that follows, which repeats what was typed. */
function firstLine(text: string): string {
  const [line = ''] = text.split('\n');
  return line.replace(/^\w+\.\w+: /, '').slice(0, 200);
}
