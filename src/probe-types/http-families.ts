/** Series of the `http` probe type, under blackbox_exporter's names. */
import type { SeriesFamily } from '../ports.ts';
import { addressFamilies, phaseSamples, tlsFamilies } from './network-families.ts';

const number = (value: unknown) => (typeof value === 'number' ? value : undefined);

/** Without an answer, or with one that never has a body (RFC 9110, 6.4.1). */
function hasNoBody(status: unknown): boolean {
  return status === undefined || status === 204 || status === 304;
}

export const httpFamilies: readonly SeriesFamily[] = [
  {
    name: 'probe_http_status_code',
    help: 'Status code of the final answer; 0 without one.',
    sample: ({ status }) => number(status) ?? 0,
  },
  {
    name: 'probe_http_duration_seconds',
    help: 'Duration of each phase, summed over all redirects.',
    sample: phaseSamples,
  },
  {
    name: 'probe_http_content_length',
    help: 'Length that the server announced; -1 when it did not, 0 without an answer.',
    sample: ({ status, content_length: length }) => number(length) ?? (hasNoBody(status) ? 0 : -1),
  },
  {
    name: 'probe_http_uncompressed_body_length',
    help: 'Bytes of the decoded body that were read.',
    sample: ({ body_bytes: bytes }) => number(bytes) ?? 0,
  },
  {
    name: 'probe_http_redirects',
    help: 'Redirects that were followed.',
    sample: ({ redirects }) => number(redirects) ?? 0,
  },
  {
    name: 'probe_http_ssl',
    help: 'Whether TLS was used for the final answer.',
    sample: ({ status, tls }) => (status !== undefined && tls ? 1 : 0),
  },
  {
    name: 'probe_http_version',
    help: 'HTTP version of the answer; 0 without one.',
    sample: ({ http_version: version }) => number(version) ?? 0,
  },
  {
    name: 'probe_http_last_modified_timestamp_seconds',
    help: 'Last-Modified of the answer, seconds since 1970.',
    sample: ({ last_modified_s: seconds }) => number(seconds),
  },
  ...addressFamilies,
  ...tlsFamilies,
];
