/** Probe type `dns`: what one name server answers to one question, with its response code, flags and times to live. */
import { randomInt } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { z } from 'zod';
import type { FieldDeclarations, Fields } from '../model.ts';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { asciiHost, type Endpoint, routeOf, routeOptions } from './connection.ts';
import { type Access, ask, type Exchange, type Transport } from './dns-exchange.ts';
import { dnsFamilies } from './dns-families.ts';
import { type Answer, decodeAnswer } from './dns-message.ts';
import { encodeName, questionName } from './dns-name.ts';
import { RECORD_TYPES } from './dns-records.ts';
import { ProbeFailure } from './failure.ts';
import { Lifeline } from './lifeline.ts';
import { ipField, phaseFields } from './network-fields.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { type ContextSource, createContextSource, tlsOptions } from './secure.ts';

const SERVER = /^(?:\[([^\]]+)\]|([^:\s]+))(?::(\d{1,5}))?$/;

const dnsSpec = z.strictObject({
  name: z
    .string()
    .refine((name) => encodeName(questionName(name)) !== undefined, 'is not a DNS name')
    .describe('What is asked for; always the whole name. An address with type PTR is asked for in reverse'),
  type: z.enum(RECORD_TYPES).default('A').describe('Type of the records'),
  server: z
    .string()
    .refine(isServer, 'is not a name server; write an address or a name, and a port unless it is the usual one')
    .optional()
    .describe('Name server to ask, as 127.0.0.1, [::1]:53 or dns.example:53. Default: the first of /etc/resolv.conf'),
  transport: z
    .enum(['udp', 'tcp', 'tls'])
    .default('udp')
    .describe('udp: port 53, and over TCP when the answer does not fit; tcp: port 53; tls: port 853'),
  recursion: z.boolean().default(true).describe('Ask the server to find the answer elsewhere (RD)'),
  tls: tlsOptions.optional().describe('For transport tls: client certificate, authorities, server name'),
  ...routeOptions,
  resolver: routeOptions.resolver.describe(
    'Name server that finds a `server` given by name, as address:port. Default: as the system does',
  ),
});
type DnsSpec = z.output<typeof dnsSpec>;

const flag = (summary: string) => ({ type: 'bool', summary }) as const;

const lines = (section: string) => ({ type: 'list', summary: `Those of the ${section} section` }) as const;

const dnsFields: FieldDeclarations = {
  answers: {
    type: 'list',
    summary: 'Data of the records, sorted: 192.0.2.1, `10 mx.example`, the text of TXT; at most 256',
  },
  rcode: {
    type: 'string',
    summary: 'Response code: NOERROR, NXDOMAIN … Unless a condition names it, NOERROR and an answer are expected',
  },
  flags: {
    type: {
      aa: flag('The server is an authority for the name'),
      tc: flag('The answer was cut, even over TCP'),
      rd: flag('Recursion was asked for'),
      ra: flag('The server offers recursion'),
      ad: flag('The server has verified the answer by DNSSEC'),
      cd: flag('Verification was switched off'),
    },
    summary: 'Flags of the answer',
  },
  ttl_s: { type: 'double', unit: 's', summary: 'How long the answer may be kept; null without one' },
  aliases: { type: 'list', summary: 'Names that the asked one is an alias of (CNAME), in order' },
  serial: { type: 'double', summary: 'Serial number of the zone; null unless the type is SOA' },
  answer_count: { type: 'double', summary: 'Records in the answer section' },
  authority_count: { type: 'double', summary: 'Records in the authority section' },
  additional_count: { type: 'double', summary: 'Records in the additional section, without that of EDNS' },
  records: {
    type: {
      answer: lines('answer'),
      authority: lines('authority'),
      additional: lines('additional'),
    },
    summary: 'Every record as a line of a zone file, its parts between tabs; at most 256 a section',
  },
  transport: { type: 'string', summary: 'How the answer came: udp, tcp or tls' },
  phases: phaseFields({
    resolve: 'Address of the server, when it is given by name',
    connect: 'TCP connect; next to nothing over UDP',
    tls: 'TLS handshake',
    processing: 'Question sent until the answer is complete',
  }),
  ip: ipField,
};

interface Prepared {
  /** As it stands in the question. */
  readonly name: string;
  /** Asked at each run: the system's server may change. */
  access(): Access;
}

/** A type with its own name cache, default TLS context and prepared specs. */
export function createDns(resolver: NameResolver = createResolver()): ProbeType<typeof dnsSpec> {
  let defaultContext: SecureContext | undefined;
  const sharedContext = () => (defaultContext ??= createSecureContext());
  const prepare = oncePerSpec((spec: DnsSpec) => ({
    name: questionName(spec.name, spec.type),
    access: createAccess(spec, spec.tls ? createContextSource(spec.tls) : sharedContext, resolver),
  }));
  return {
    name: 'dns',
    summary: 'A name server: what it answers to one question, whether it is right, and how long it takes',
    spec: dnsSpec,
    mainOption: 'name',
    example: `- name: mail-exchanger
  dns: { name: example.org, type: MX, server: "127.0.0.1:53" }
  expect:
    - rcode == "NOERROR"
    - '"10 mail.example.org" in answers'
  warn: [latency_ms < 200]
`,
    fields: dnsFields,
    families: dnsFamilies,
    impliedExpect: { unlessNames: 'rcode', source: 'rcode == "NOERROR" && size(answers) > 0' },
    target: ({ name, server }) => (server === undefined ? name : `${name}@${server}`),
    remote: ({ server, transport }) => endpointOf(server ?? resolver.systemServer(), transport).host,
    run: (spec, { reads }, context) => runDns(spec, prepare(spec), resolver, context, reads),
  };
}

export const dns = createDns();

function createAccess(spec: DnsSpec, context: ContextSource, resolver: NameResolver): Prepared['access'] {
  const { transport, server, tls } = spec;
  const route = routeOf(spec);
  const accessTo = (endpoint: Endpoint): Access => ({
    server: endpoint,
    transport,
    route,
    tls: { context, host: tls?.server_name ?? endpoint.host, insecure: tls?.insecure_skip_verify ?? false },
  });
  if (server === undefined) return () => accessTo(endpointOf(resolver.systemServer(), transport));
  const access = accessTo(endpointOf(server, transport));
  return () => access;
}

async function runDns(
  spec: DnsSpec,
  plan: Prepared,
  resolver: NameResolver,
  context: Context,
  reads: ReadonlySet<string> | undefined,
): Promise<ProbeOutput> {
  const line = new Lifeline(context);
  const seen: Exchange['seen'] = { ip: undefined, peer: undefined, transport: spec.transport };
  const question = { id: randomInt(0x10000), name: plan.name, type: spec.type, recursion: spec.recursion };
  let answer: Answer | undefined;
  let failure: ProbeFailure | undefined;
  try {
    const message = await ask(question, plan.access(), { line, resolver, now: context.clock.now(), seen });
    answer = decodeAnswer(message, question, reads === undefined || reads.has('records'));
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    failure = error;
  } finally {
    line.close();
  }
  const fields = toFields(spec, answer, seen, line);
  return failure ? { reason: failure.reason, fields, error: failure.message } : { reason: 'ok', fields };
}

function toFields({ type }: DnsSpec, answer: Answer | undefined, seen: Exchange['seen'], line: Lifeline): Fields {
  const { resolve_ms, connect_ms, tls_ms, processing_ms } = line.phases;
  return {
    answers: answer?.answers,
    rcode: answer?.rcode,
    flags: answer?.flags,
    ttl_s: answer?.ttl,
    aliases: answer?.aliases,
    serial: type === 'SOA' ? serialOf(answer?.answers[0]) : undefined,
    answer_count: answer?.counts.answer,
    authority_count: answer?.counts.authority,
    additional_count: answer?.counts.additional,
    records: answer?.records,
    transport: seen.transport,
    phases: { resolve_ms, connect_ms, tls_ms, processing_ms },
    ip: seen.ip,
  };
}

/** `primary mailbox serial refresh retry expire minimum` */
function serialOf(soa: string | undefined): number | undefined {
  return soa === undefined ? undefined : Number(soa.split(' ')[2]);
}

function isServer(text: string): boolean {
  if (isIP(text) === 6) return true;
  const match = SERVER.exec(text);
  const port = Number(match?.[3] ?? 53);
  return match !== null && (match[1] === undefined || isIP(match[1]) === 6) && port > 0 && port < 65_536;
}

function endpointOf(text: string, transport: Transport): Endpoint {
  const match = isIP(text) === 6 ? undefined : SERVER.exec(text);
  return {
    host: asciiHost(match?.[1] ?? match?.[2] ?? text),
    port: Number(match?.[3] ?? (transport === 'tls' ? 853 : 53)),
  };
}
