/** A real gRPC server on loopback, with a health service whose answers the test decides; closed when the test ends. */
import { Server, ServerCredentials, type sendUnaryData, status } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import type { KeyPair } from './hostile-certificates.ts';

/** `ServingStatus` by its name. */
const SERVING = { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;

export interface Asked {
  readonly service: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Milliseconds that the client still gives it. */
  readonly deadlineMs: number;
}

/** A serving status, a gRPC status code with a message, or nothing at all. */
export type HealthAnswer =
  | keyof typeof SERVING
  | { readonly code: number; readonly details?: string }
  | { readonly raw: Buffer }
  | 'silence';

export interface GrpcServer {
  readonly port: number;
  readonly asked: readonly Asked[];
}

export async function startGrpcServer(
  answer: (asked: Asked) => HealthAnswer,
  options: { readonly keys?: KeyPair; readonly implemented?: boolean } = {},
): Promise<GrpcServer> {
  const server = new Server();
  onTestFinished(() => server.forceShutdown());
  const asked: Asked[] = [];
  const handler = (call: unknown, done: sendUnaryData<Buffer>) => {
    const { request, metadata, getDeadline } = call as {
      request: Buffer;
      metadata: { getMap(): Record<string, unknown> };
      getDeadline(): Date | number;
    };
    const deadlineMs = Number(getDeadline.call(call)) - Date.now();
    const one = { service: serviceIn(request), metadata: metadata.getMap(), deadlineMs };
    asked.push(one);
    const chosen = answer(one);
    if (chosen === 'silence') return;
    if (typeof chosen === 'string') done(null, Buffer.from([8, SERVING[chosen]]));
    else if ('raw' in chosen) done(null, chosen.raw);
    else done({ code: chosen.code, details: chosen.details ?? '' });
  };
  const bytes = {
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const check = {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    ...bytes,
  } as const;
  if (options.implemented !== false) server.addService({ Check: check }, { Check: handler });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentialsOf(options.keys), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port, asked };
}

export const grpcStatus = status;

const same = (message: Buffer) => message;

function credentialsOf(keys: KeyPair | undefined): ServerCredentials {
  if (!keys) return ServerCredentials.createInsecure();
  const pair = { cert_chain: Buffer.from(keys.cert), private_key: Buffer.from(keys.key) };
  return ServerCredentials.createSsl(null, [pair]);
}

/** Field 1 of a request, in less than 128 bytes. */
function serviceIn(request: Buffer): string {
  if (request.length === 0) return '';
  if (request[0] !== 0x0a || request[1] !== request.length - 2)
    throw new Error(`no request: ${request.toString('hex')}`);
  return request.subarray(2).toString();
}
