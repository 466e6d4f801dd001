/** gRPC's status codes, and what they say about a target: https://grpc.io/docs/guides/status-codes/ */
import type { Reason } from '../model.ts';
import { ProbeFailure } from './failure.ts';
import { decodePercents } from './http-request.ts';

/** By their number. */
const NAMES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** Any other: `unhealthy`. */
const REASONS: Readonly<Record<string, Reason>> = {
  DEADLINE_EXCEEDED: 'timeout',
  NOT_FOUND: 'not_found',
  UNIMPLEMENTED: 'not_found',
  PERMISSION_DENIED: 'auth',
  UNAUTHENTICATED: 'auth',
  RESOURCE_EXHAUSTED: 'saturated',
};

export const DEADLINE_EXCEEDED = NAMES.indexOf('DEADLINE_EXCEEDED');
export const UNAVAILABLE = NAMES.indexOf('UNAVAILABLE');

/** @param message as it was sent: percent-encoded UTF-8. */
export function explainStatus(status: number, message: string | undefined, service: string): ProbeFailure {
  const name = NAMES[status] ?? String(status);
  const said = decodePercents(message ?? '').slice(0, 500);
  return new ProbeFailure(REASONS[name] ?? 'unhealthy', said ? `${name}: ${said}` : meaningOf(name, service));
}

function meaningOf(name: string, service: string): string {
  if (name === 'NOT_FOUND') return `NOT_FOUND: it knows no service ${JSON.stringify(service)}`;
  if (name === 'UNIMPLEMENTED') return 'UNIMPLEMENTED: it has no health service';
  return name;
}

/** An answer without a gRPC status: from a proxy, or from something else altogether. */
export function explainHttpStatus(status: number): ProbeFailure {
  if (status === 401 || status === 403) return new ProbeFailure('auth', `it wants other credentials (${status})`);
  if (status === 404) return new ProbeFailure('not_found', 'it has no health service (404)');
  if (status === 429) return new ProbeFailure('saturated', 'it takes no more requests (429)');
  if (status === 200) return new ProbeFailure('protocol', 'what answers speaks HTTP/2, but not gRPC');
  return new ProbeFailure('http_status', `it answered ${status}`);
}
