/** Probe type `tls`: a handshake, and the certificate that the server shows, trusted or not. */
import { createSecureContext, type SecureContext } from 'node:tls';
import { z } from 'zod';
import type { FieldDeclarations, Fields } from '../model.ts';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { certificateFields, describeChain } from './certificate.ts';
import { asciiHost, type Endpoint, open, printEndpoint, routeOf, routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import { Lifeline } from './lifeline.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { ipField, phaseFields, tlsField } from './network-fields.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import {
  type ContextSource,
  checkTlsOptions,
  createContextSource,
  type Seen,
  secure,
  tlsShape,
  usesDefaults,
} from './secure.ts';

const tlsSpec = z
  .strictObject({
    host: z.string().min(1).describe('Name or address'),
    port: z.number().int().min(1).max(65_535).default(443).describe('TCP port that speaks TLS from its first byte on'),
    ...tlsShape,
    ...routeOptions,
  })
  .superRefine(checkTlsOptions);
type TlsSpec = z.output<typeof tlsSpec>;

const tlsFields: FieldDeclarations = {
  certificate: { type: certificateFields, summary: "The server's certificate, also when it is not trusted" },
  chain: {
    type: 'list',
    summary:
      'The certificate and its issuers, as far as they are known: each with subject, issuer, expires_in_days, fingerprint',
  },
  tls: tlsField,
  phases: phaseFields({ resolve: 'Name resolution', connect: 'TCP connect', tls: 'TLS handshake' }),
  ip: ipField,
};

interface Prepared {
  readonly endpoint: Endpoint;
  readonly context: ContextSource;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createTls(resolver: NameResolver = createResolver()): ProbeType<typeof tlsSpec> {
  let defaultContext: SecureContext | undefined;
  // Making one parses all built-in authorities.
  const sharedContext = () => (defaultContext ??= createSecureContext());
  const prepare = oncePerSpec((spec: TlsSpec) => ({
    endpoint: { host: asciiHost(spec.host), port: spec.port },
    context: usesDefaults(spec) ? sharedContext : createContextSource(spec),
  }));
  return {
    name: 'tls',
    summary: 'A TLS server: that its certificate is trusted, for whom it is and when it or its chain ends',
    spec: tlsSpec,
    mainOption: 'host',
    example: `- name: mail-certificate
  every: 1h
  tls: { host: 127.0.0.1, port: 993, server_name: mail.example.org }
  expect: [certificate.expires_in_days > 3]
  warn:
    - certificate.expires_in_days > 14
    - chain.all(link, link.expires_in_days > 14)
`,
    fields: tlsFields,
    families: [...addressFamilies, ...tlsFamilies],
    target: ({ host, port }) => printEndpoint({ host: asciiHost(host), port }),
    remote: ({ host }) => host,
    run: (spec, _input, context) => runTls(spec, prepare(spec), resolver, context),
  };
}

export const tls = createTls();

async function runTls(spec: TlsSpec, plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  const line = new Lifeline(context);
  const seen: Seen = { ip: undefined, peer: undefined };
  const now = context.clock.now();
  let failure: ProbeFailure | undefined;
  try {
    const { socket } = await open(plan.endpoint, routeOf(spec), line, resolver, seen);
    const host = spec.server_name ?? plan.endpoint.host;
    const options = { host, context: plan.context(), insecure: spec.insecure_skip_verify, protocols: [], now, seen };
    await secure(socket, options, line);
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    failure = error;
  } finally {
    line.close();
  }
  const fields = toFields(seen, line, now);
  return failure ? { reason: failure.reason, fields, error: failure.message } : { reason: 'ok', fields };
}

function toFields({ ip, peer }: Seen, { phases }: Lifeline, now: number): Fields {
  const { resolve_ms, connect_ms, tls_ms } = phases;
  return {
    certificate: peer?.certificate,
    chain: peer && describeChain(peer.shown, now),
    tls: peer?.tls,
    phases: { resolve_ms, connect_ms, tls_ms },
    ip,
  };
}
