/** Probe type `grpc`: what a server says about itself, or about one of its services, in gRPC's health checking protocol. */
import { z } from 'zod';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { headersOption } from '../shared/http-options.ts';
import { type Endpoint, open, parseEndpoint, printEndpoint, routeOf, routeOptions } from './connection.ts';
import { ProbeFailure } from './failure.ts';
import { type Call, call } from './grpc-call.ts';
import { grpcFamilies } from './grpc-families.ts';
import { decodeAnswer, encodeRequest } from './grpc-health.ts';
import { explainStatus } from './grpc-status.ts';
import type { Lifeline } from './lifeline.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { tlsOptions } from './secure.ts';
import { connectionFields, createGuards, type Findings, type Guard, runOverConnection } from './server-run.ts';

const PHASES = {
  resolve: 'Name resolution',
  connect: 'TCP connect',
  tls: 'TLS handshake',
  processing: 'The call until its answer is complete',
};

/** What the protocol itself sends. */
const RESERVED = /^(?:grpc-.*|te|host|content-type|user-agent|keep-alive|proxy-connection|http2-settings)$/i;

const grpcSpec = z.strictObject({
  address: z
    .string()
    .refine((text) => parseEndpoint(text) !== undefined, 'is not host:port')
    .describe('host:port'),
  service: z.string().max(1_000).default('').describe('Service to ask for. Default: the server as a whole'),
  tls: z
    .union([z.boolean(), tlsOptions])
    .default(false)
    .describe('true, or client certificate, authorities, server name. Default: false, unencrypted'),
  metadata: headersOption()
    .superRefine((metadata, context) => {
      for (const name of Object.keys(metadata).filter((key) => RESERVED.test(key))) {
        context.addIssue({ code: 'custom', path: [name], message: 'is set by Brainstem itself' });
      }
    })
    .default({})
    .describe('Sent with the call, such as authorization; one with an empty value is not sent'),
  ...routeOptions,
});
type GrpcSpec = z.output<typeof grpcSpec>;

interface Prepared {
  readonly spec: GrpcSpec;
  readonly endpoint: Endpoint;
  /** undefined: without TLS. */
  readonly guard: Guard | undefined;
  readonly call: Call;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createGrpc(resolver: NameResolver = createResolver()): ProbeType<typeof grpcSpec> {
  const createGuard = createGuards(['h2']);
  const prepare = oncePerSpec((spec: GrpcSpec): Prepared => {
    const endpoint = endpointOf(spec);
    const tls = typeof spec.tls === 'object' ? spec.tls : undefined;
    const guard = spec.tls ? createGuard(endpoint.host, tls, tls?.insecure_skip_verify ?? false) : undefined;
    return { spec, endpoint, guard, call: callFor(spec, tls?.server_name ?? endpoint.host) };
  });
  return {
    name: 'grpc',
    summary: 'A gRPC server, by the health checking protocol: whether it, or one of its services, is serving',
    spec: grpcSpec,
    mainOption: 'address',
    example: `- name: orders
  grpc:
    address: 127.0.0.1:50051
    service: shop.Orders
`,
    fields: {
      status: { type: 'double', summary: 'gRPC status code of the call, 0 is OK; null without an answer' },
      serving_status: {
        type: 'string',
        summary: 'SERVING, NOT_SERVING, UNKNOWN or SERVICE_UNKNOWN; null unless the status is 0',
      },
      ...connectionFields(PHASES),
    },
    families: grpcFamilies,
    target: (spec) => `${printEndpoint(endpointOf(spec))}${spec.service && `/${spec.service}`}`,
    remote: (spec) => endpointOf(spec).host,
    run: (spec, _input, context) => runGrpc(prepare(spec), resolver, context),
  };
}

export const grpc = createGrpc();

async function runGrpc(plan: Prepared, resolver: NameResolver, context: Context): Promise<ProbeOutput> {
  return await runOverConnection(context, PHASES, async (line, findings) => {
    const socket = await connect(plan, resolver, context.clock.now(), line, findings);
    const { status, message, body } = await call(socket, plan.call, line);
    findings.fields['status'] = status;
    if (status !== 0) throw explainStatus(status, message, plan.spec.service);
    const serving = decodeAnswer(body);
    findings.fields['serving_status'] = serving;
    if (serving === 'SERVING') return;
    throw new ProbeFailure(serving === 'SERVICE_UNKNOWN' ? 'not_found' : 'unhealthy', `it says ${serving}`);
  });
}

async function connect(plan: Prepared, resolver: NameResolver, now: number, line: Lifeline, { seen }: Findings) {
  const { socket } = await open(plan.endpoint, routeOf(plan.spec), line, resolver, seen);
  return plan.guard ? await plan.guard(socket, line, seen, now) : socket;
}

function callFor({ service, tls, metadata, ...spec }: GrpcSpec, host: string): Call {
  const given = Object.entries(metadata).filter(([, value]) => value);
  return {
    isTls: tls !== false,
    authority: printEndpoint({ host, port: endpointOf(spec).port }),
    path: '/grpc.health.v1.Health/Check',
    metadata: Object.fromEntries(given) as Record<string, string>,
    message: encodeRequest(service),
  };
}

function endpointOf({ address }: Pick<GrpcSpec, 'address'>): Endpoint {
  return parseEndpoint(address) as Endpoint;
}
