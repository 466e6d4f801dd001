/** Series of the `dns` probe type, under blackbox_exporter's names. */
import type { Fields } from '../model.ts';
import type { SeriesFamily } from '../ports.ts';
import { addressFamilies, phaseSeconds } from './network-families.ts';

/** Ours by theirs: the handshake of DNS over TLS belongs to the connection. */
const DNS_PHASES = { resolve: ['resolve_ms'], connect: ['connect_ms', 'tls_ms'], request: ['processing_ms'] } as const;

function secondsOf(fields: Fields, phase: keyof typeof DNS_PHASES): number {
  return DNS_PHASES[phase].reduce((sum, part) => sum + phaseSeconds(fields, part), 0);
}

const number = (value: unknown) => (typeof value === 'number' ? value : undefined);

export const dnsFamilies: readonly SeriesFamily[] = [
  {
    name: 'probe_dns_duration_seconds',
    help: 'Duration of each phase of a DNS request.',
    sample: (fields) =>
      (['resolve', 'connect', 'request'] as const).map((phase) => ({
        labels: { phase },
        value: secondsOf(fields, phase),
      })),
  },
  {
    name: 'probe_dns_answer_rrs',
    help: 'Records in the answer section.',
    sample: (fields) => number(fields['answer_count']) ?? 0,
  },
  {
    name: 'probe_dns_authority_rrs',
    help: 'Records in the authority section.',
    sample: (fields) => number(fields['authority_count']) ?? 0,
  },
  {
    name: 'probe_dns_additional_rrs',
    help: 'Records in the additional section.',
    sample: (fields) => number(fields['additional_count']) ?? 0,
  },
  {
    name: 'probe_dns_query_succeeded',
    help: 'Whether there was an answer, whatever it says.',
    sample: ({ rcode }) => (rcode === undefined ? 0 : 1),
  },
  {
    name: 'probe_dns_serial',
    help: 'Serial number of the zone.',
    sample: ({ serial }) => number(serial),
  },
  ...addressFamilies,
];
