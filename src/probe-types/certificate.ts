/** What a TLS peer's certificate says, as fields. */
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import type { FieldDeclarations } from '../model.ts';

const DAY_MS = 86_400_000;

export const certificateFields: FieldDeclarations = {
  expires_in_days: { type: 'double', unit: 'd', summary: 'Time until the certificate expires; negative when it has' },
  not_after_s: { type: 'double', unit: 's', summary: 'When the certificate expires, seconds since 1970' },
  chain_not_after_s: { type: 'double', unit: 's', summary: 'When the first certificate of its chain expires' },
  subject: { type: 'string', summary: 'Subject, such as CN=shop.example,O=Shop' },
  issuer: { type: 'string', summary: 'Issuer' },
  names: { type: 'list', summary: 'DNS names and addresses that it is for' },
  fingerprint: { type: 'string', summary: 'SHA-256 of the certificate, lower-case hexadecimal' },
  serial_number: { type: 'string', summary: 'Serial number, lower-case hexadecimal' },
};

export interface Certificate {
  readonly expires_in_days: number;
  readonly not_after_s: number;
  readonly chain_not_after_s: number;
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  readonly fingerprint: string;
  readonly serial_number: string;
}

/** One certificate of a chain. */
interface ChainLink {
  readonly subject: string;
  readonly issuer: string;
  readonly expires_in_days: number;
  readonly fingerprint: string;
}

/** undefined when the peer showed no certificate. */
export function describeCertificate(certificate: DetailedPeerCertificate, now: number): Certificate | undefined {
  if (certificate.valid_to === undefined) return undefined;
  const notAfterMs = Date.parse(certificate.valid_to);
  return {
    expires_in_days: (notAfterMs - now) / DAY_MS,
    not_after_s: notAfterMs / 1_000,
    chain_not_after_s: earliestEnd(certificate) / 1_000,
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    names: alternativeNames(certificate.subjectaltname ?? ''),
    fingerprint: fingerprintOf(certificate),
    serial_number: certificate.serialNumber.toLowerCase(),
  };
}

/** A certificate and its issuers up to the root, in short. Empty when the peer showed none. */
export function describeChain(leaf: DetailedPeerCertificate, now: number): readonly ChainLink[] {
  if (leaf.valid_to === undefined) return [];
  return chainOf(leaf).map((link) => ({
    subject: distinguishedName(link.subject),
    issuer: distinguishedName(link.issuer),
    expires_in_days: (Date.parse(link.valid_to) - now) / DAY_MS,
    fingerprint: fingerprintOf(link),
  }));
}

function earliestEnd(leaf: DetailedPeerCertificate): number {
  return Math.min(...chainOf(leaf).map((link) => Date.parse(link.valid_to)));
}

/** A root is its own issuer: the chain ends there, or where the peer's chain is incomplete. */
function chainOf(leaf: DetailedPeerCertificate): readonly DetailedPeerCertificate[] {
  const chain = new Set([leaf]);
  for (let next = leaf.issuerCertificate; next && !chain.has(next); next = next.issuerCertificate) chain.add(next);
  return [...chain];
}

function fingerprintOf(certificate: PeerCertificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

/** RFC 2253 order, most specific first, as blackbox_exporter prints it. */
function distinguishedName(name: PeerCertificate['subject']): string {
  return Object.entries(name ?? {})
    .reverse()
    .flatMap(([key, value]) => [value].flat().map((one) => `${key}=${one}`))
    .join(',');
}

/** Node writes `DNS:a.example, IP Address:::1`, and a name with odd characters as a JSON string. */
function alternativeNames(text: string): readonly string[] {
  const names: string[] = [];
  for (const match of text.matchAll(/(?:DNS|IP Address):(?:("(?:[^"\\]|\\.)*")|([^,]*))/g)) {
    names.push(match[1] === undefined ? (match[2] ?? '') : String(JSON.parse(match[1])));
  }
  return names;
}
