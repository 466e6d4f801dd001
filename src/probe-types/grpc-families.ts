/** Series of the `grpc` probe type, under blackbox_exporter's names. */
import type { Fields, Observation } from '../model.ts';
import type { SeriesFamily } from '../ports.ts';
import { SERVING_STATUSES } from './grpc-health.ts';
import { DEADLINE_EXCEEDED, UNAVAILABLE } from './grpc-status.ts';
import { addressFamilies, phaseSeconds, tlsFamilies } from './network-families.ts';

/** Frozen: rendered once. */
const RESOLVE = Object.freeze({ phase: 'resolve' });
const CHECK = Object.freeze({ phase: 'check' });
const SERVING = SERVING_STATUSES.map((name) => Object.freeze({ serving_status: name }));

export const grpcFamilies: readonly SeriesFamily[] = [
  {
    name: 'probe_grpc_status_code',
    help: 'gRPC status code of the answer; without one that which a client gives itself: 4 at the deadline, else 14.',
    sample: statusCode,
  },
  {
    name: 'probe_grpc_healthcheck_response',
    help: 'Serving status of the answer: 1 for the one that it is.',
    sample: ({ serving_status: answered }) =>
      SERVING.map((labels) => ({ labels, value: labels.serving_status === answered ? 1 : 0 })),
  },
  {
    name: 'probe_grpc_duration_seconds',
    help: 'Duration of name resolution, and of everything after it.',
    sample: (fields) => [
      { labels: RESOLVE, value: phaseSeconds(fields, 'resolve_ms') },
      { labels: CHECK, value: checkSeconds(fields) },
    ],
  },
  {
    name: 'probe_grpc_ssl',
    help: 'Whether TLS was used for the answer.',
    sample: ({ status, tls }) => (status !== undefined && tls ? 1 : 0),
  },
  ...addressFamilies,
  ...tlsFamilies,
];

function statusCode({ status }: Fields, { reason }: Observation): number {
  if (typeof status === 'number') return status;
  return reason === 'timeout' || reason === 'connect_timeout' ? DEADLINE_EXCEEDED : UNAVAILABLE;
}

function checkSeconds(fields: Fields): number {
  const phases = ['connect_ms', 'tls_ms', 'processing_ms'] as const;
  return phases.reduce((sum, phase) => sum + phaseSeconds(fields, phase), 0);
}
