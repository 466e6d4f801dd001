/** Probe type `tcp`: a connection, and a dialogue of plain sends and expectations over it. */
import { RE2JS } from 're2js';
import { z } from 'zod';
import type { FieldDeclarations } from '../model.ts';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { asciiHost, type Endpoint, open, printEndpoint, routeOf, routeOptions, type Tried } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import { Lifeline } from './lifeline.ts';
import { addressFamilies } from './network-families.ts';
import { ipField, phaseFields } from './network-fields.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { checkPattern } from './pattern.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { converse, type Step } from './tcp-dialogue.ts';

const port = z.number().int().min(1).max(65_535);

const step = z.union([
  z.strictObject({
    send: z.string().min(1).describe('Text to send, as UTF-8; "\\r\\n" ends a line of most protocols'),
  }),
  z.strictObject({
    expect: z
      .string()
      .superRefine(checkPattern(RE2JS.MULTILINE))
      .describe('Regular expression (RE2, linear in time) that what is received must match; ^ and $ are ends of lines'),
  }),
]);

const tcpSpec = z
  .strictObject({
    host: z.string().min(1).optional().describe('Name or address'),
    port: port.optional(),
    address: z
      .string()
      .refine(isAddress, 'is not host:port')
      .optional()
      .describe('Instead of host and port: host:port'),
    steps: z.array(step).max(50).default([]).describe('What to send and what to expect, in order'),
    ...routeOptions,
  })
  .refine((spec) => (spec.address === undefined) === (spec.host !== undefined && spec.port !== undefined), {
    message: 'wants host and port, or address',
  });
type TcpSpec = z.output<typeof tcpSpec>;

const tcpFields: FieldDeclarations = {
  phases: phaseFields({
    resolve: 'Name resolution',
    connect: 'TCP connect',
    processing: 'The dialogue of the steps',
  }),
  banner: { type: 'string', summary: 'What the server sent, first 4 KiB; null without an expect step' },
  ip: ipField,
};

interface Prepared {
  readonly endpoint: Endpoint;
  readonly steps: readonly Step[];
}

/** A type with its own name cache and prepared specs. */
function createTcp(resolver: NameResolver = createResolver()): ProbeType<typeof tcpSpec> {
  const prepare = oncePerSpec((spec: TcpSpec) => ({ endpoint: endpointOf(spec), steps: spec.steps.map(compileStep) }));
  return {
    name: 'tcp',
    summary: 'A TCP port: that it answers, and that a short dialogue over it goes as expected',
    spec: tcpSpec,
    mainOption: 'host',
    example: `- name: redis
  tcp:
    host: 127.0.0.1
    port: 6379
    steps:
      - send: "PING\\r\\n"
      - expect: ^\\+PONG
`,
    fields: tcpFields,
    families: addressFamilies,
    target: (spec) => printEndpoint(endpointOf(spec)),
    remote: (spec) => endpointOf(spec).host,
    run: (spec, _input, context) => runTcp(spec, prepare(spec), resolver, context),
  };
}

export const tcp = createTcp();

async function runTcp(spec: TcpSpec, plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  const line = new Lifeline(context);
  const heard = { banner: undefined as string | undefined };
  const tried: Tried = { ip: undefined };
  let failure: ProbeFailure | undefined;
  try {
    const connection = await open(plan.endpoint, routeOf(spec), line, resolver, tried);
    if (plan.steps.length > 0) await converse(connection.socket, plan.steps, heard, line);
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    failure = error;
  } finally {
    line.close();
  }
  const { resolve_ms, connect_ms, processing_ms } = line.phases;
  const fields = { phases: { resolve_ms, connect_ms, processing_ms }, banner: heard.banner, ip: tried.ip };
  return failure ? { reason: failure.reason, fields, error: failure.message } : { reason: 'ok', fields };
}

const ADDRESS = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/;

function isAddress(text: string): boolean {
  const number = Number(ADDRESS.exec(text)?.[3]);
  return number >= 1 && number <= 65_535;
}

function endpointOf(spec: TcpSpec): Endpoint {
  const match = ADDRESS.exec(spec.address ?? '');
  return { host: asciiHost(match?.[1] ?? match?.[2] ?? spec.host ?? ''), port: Number(match?.[3] ?? spec.port) };
}

function compileStep(step: TcpSpec['steps'][number]): Step {
  return 'send' in step ? step : { expect: RE2JS.compile(step.expect, RE2JS.MULTILINE), source: step.expect };
}
