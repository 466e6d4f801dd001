/** Series that several network probe types contribute, under blackbox_exporter's names. */
import { isIP } from 'node:net';
import type { Fields } from '../model.ts';
import type { Sample, SeriesFamily } from '../ports.ts';
import { addressHash } from './address-hash.ts';
import type { Certificate } from './certificate.ts';
import { PHASES, type Phase } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import type { TlsSession } from './secure.ts';

// What the network types put there by themselves; the fields of an observation are untyped.
const certificateOf = (fields: Fields) => fields['certificate'] as Certificate | undefined;
const tlsOf = (fields: Fields) => fields['tls'] as TlsSession | undefined;
const phasesOf = (fields: Fields) => fields['phases'] as Partial<Lifeline['phases']> | undefined;

/** Seconds in one phase, or 0. */
export function phaseSeconds(fields: Fields, phase: keyof Lifeline['phases']): number {
  return (phasesOf(fields)?.[phase] ?? 0) / 1_000;
}

/** Frozen: rendered once. */
const PHASE_LABELS = Object.fromEntries(PHASES.map((phase) => [phase, Object.freeze({ phase })])) as Record<
  Phase,
  { phase: Phase }
>;

/** Seconds in each phase, labelled by its name. */
export function phaseSamples(fields: Fields): readonly Sample[] {
  return PHASES.map((phase) => ({ labels: PHASE_LABELS[phase], value: phaseSeconds(fields, `${phase}_ms`) }));
}

/** A series that is always 1 and says its piece in labels. */
function info<T>(seen: T | undefined, labels: (seen: T) => Sample['labels']): readonly Sample[] | undefined {
  return seen && [{ labels: labels(seen), value: 1 }];
}

export const addressFamilies: readonly SeriesFamily[] = [
  {
    name: 'probe_dns_lookup_time_seconds',
    help: 'Time that name resolution took.',
    sample: (fields) => phaseSeconds(fields, 'resolve_ms'),
  },
  {
    name: 'probe_ip_protocol',
    help: 'IP version that was used: 4 or 6; 0 without an address.',
    sample: ({ ip }) => (typeof ip === 'string' ? (ip.includes(':') ? 6 : 4) : 0),
  },
  {
    name: 'probe_ip_addr_hash',
    help: 'Hash (FNV-1a) of the address that was used: it changes when that does; 0 without an address.',
    sample: ({ ip }) => (typeof ip === 'string' ? addressHash(ip) : 0),
  },
];

export const tlsFamilies: readonly SeriesFamily[] = [
  {
    name: 'probe_ssl_earliest_cert_expiry',
    help: 'When the first certificate of the chain expires, seconds since 1970.',
    sample: (fields) => certificateOf(fields)?.chain_not_after_s,
  },
  {
    name: 'probe_ssl_last_chain_expiry_timestamp_seconds',
    help: 'When the verified chain expires, seconds since 1970.',
    sample: (fields) => certificateOf(fields)?.chain_not_after_s,
  },
  {
    name: 'probe_ssl_last_chain_info',
    help: 'The certificate of the server.',
    sample: (fields) =>
      info(certificateOf(fields), (certificate) => ({
        fingerprint_sha256: certificate.fingerprint,
        subject: certificate.subject,
        issuer: certificate.issuer,
        subjectalternative: certificate.names.filter((name) => isIP(name) === 0).join(','),
        serialnumber: certificate.serial_number,
      })),
  },
  {
    name: 'probe_tls_version_info',
    help: 'The TLS version that was used.',
    sample: (fields) => info(tlsOf(fields), ({ version }) => ({ version })),
  },
  {
    name: 'probe_tls_cipher_info',
    help: 'The TLS cipher that was used.',
    sample: (fields) => info(tlsOf(fields), ({ cipher }) => ({ cipher })),
  },
];
