/** How an exchange with a target ends early: a typed failure inside a network probe, turned into its output at the end. */
import { codeOf, messageOf, RetryableError } from '../errors.ts';
import type { Reason } from '../model.ts';
import { ExchangeFailure, type ExchangeTrouble } from '../shared/exchange-failure.ts';

/** The steps of an exchange, in order; the names are those of blackbox_exporter's `phase` label. */
export const PHASES = ['resolve', 'connect', 'tls', 'processing', 'transfer'] as const;
export type Phase = (typeof PHASES)[number];

/** The target did not do what was asked of it. Never leaves a probe type. */
export class ProbeFailure extends Error {
  readonly reason: Reason;
  /** It was somebody else on the way to the target, of which nothing is known now. */
  readonly unknown: 'witness_away' | undefined;

  constructor(reason: Reason, message: string, options?: { cause?: unknown; unknown?: 'witness_away' }) {
    super(message, options);
    this.name = 'ProbeFailure';
    this.reason = reason;
    this.unknown = options?.unknown;
  }

  /** The same, told with where it happened. */
  withMessage(message: string): ProbeFailure {
    return new ProbeFailure(this.reason, message, { cause: this, ...(this.unknown && { unknown: this.unknown }) });
  }
}

/** How a run ends with it. */
export function failed({ reason, message, unknown }: ProbeFailure) {
  return { reason, error: message, ...(unknown && { unknown }) };
}

/** What the deadline means, by the phase it struck in. */
export function deadlineFailure(phase: Phase): ProbeFailure {
  if (phase === 'resolve') return new ProbeFailure('dns', 'no answer from the name server before the deadline');
  if (phase === 'connect') return new ProbeFailure('connect_timeout', 'no connection before the deadline');
  const missing = { tls: 'the TLS handshake', processing: 'an answer', transfer: 'the whole body' }[phase];
  return new ProbeFailure('timeout', `the deadline passed while waiting for ${missing}`);
}

const CONNECT_REASONS: Readonly<Record<string, readonly [Reason, string]>> = {
  ECONNREFUSED: ['connect_refused', 'connection refused'],
  ECONNRESET: ['connect_refused', 'connection reset while connecting'],
  ENOENT: ['connect_refused', 'there is no such socket'],
  ETIMEDOUT: ['connect_timeout', 'connection timed out'],
  ENETUNREACH: ['unreachable', 'network unreachable'],
  EHOSTUNREACH: ['unreachable', 'host unreachable'],
  EADDRNOTAVAIL: ['unreachable', 'address not available'],
  EACCES: ['unreachable', 'connection not permitted'],
  EPERM: ['unreachable', 'connection not permitted'],
};

const EXCHANGE_REASONS: Readonly<Record<ExchangeTrouble, Reason>> = {
  connection_closed: 'protocol',
  answer_too_large: 'body',
  protocol_broken: 'protocol',
  tls_not_offered: 'tls',
  password_missing: 'auth',
};

/** Trouble of our own machine, which says nothing about the target. */
const OWN_TROUBLE: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

/** The error to throw instead, when it is our own lack of descriptors or memory; undefined: it is something else. */
export function ownTrouble(error: unknown): RetryableError | undefined {
  if (!OWN_TROUBLE.has(codeOf(error) ?? '')) return undefined;
  return new RetryableError('out_of_resources', messageOf(error), { cause: error });
}

/**
 * The failure behind an error of a socket, a TLS layer, the HTTP parser or a decoder.
 * Our own lack of descriptors or memory becomes a RetryableError, so that no target is blamed for it.
 */
export function classify(error: Error, phase: Phase): Error {
  if (error instanceof ProbeFailure || error instanceof RetryableError) return error;
  const code = codeOf(error) ?? '';
  const options = { cause: error };
  if (error instanceof ExchangeFailure) {
    return new ProbeFailure(EXCHANGE_REASONS[error.trouble], error.message, options);
  }
  const own = ownTrouble(error);
  if (own) return own;
  if (phase === 'resolve') return new ProbeFailure('dns', messageOf(error), options);
  if (phase === 'connect') {
    const [reason, text] = CONNECT_REASONS[code] ?? ['unreachable', messageOf(error)];
    return new ProbeFailure(reason, text, options);
  }
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || phase === 'tls') {
    return new ProbeFailure('tls', describeTlsError(error, code), options);
  }
  return new ProbeFailure('protocol', describeProtocolError(error, code), options);
}

function describeTlsError(error: Error, code: string): string {
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'the connection was closed during the TLS handshake';
  // OpenSSL's line starts with a thread id and ends with a source file; its reason stands in a property.
  const reason = 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message.trim();
  return `TLS failed: ${reason}`;
}

function describeProtocolError(error: Error, code: string): string {
  if (code === 'ECONNRESET' || code === 'EPIPE') return 'the connection was closed before the answer was complete';
  if (code === 'HPE_HEADER_OVERFLOW') return 'the headers are larger than 64 KiB';
  if (code.startsWith('HPE_')) return `not valid HTTP: ${messageOf(error).replace(/^Parse Error: /, '')}`;
  if (code.startsWith('Z_') || code.startsWith('ERR__ERROR_')) return `bad Content-Encoding: ${messageOf(error)}`;
  return messageOf(error);
}
