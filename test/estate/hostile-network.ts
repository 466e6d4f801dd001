/** Servers on loopback that misbehave on purpose, and one run of a network probe against them. */
import { type ChildProcess, fork } from 'node:child_process';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { onTestFinished } from 'vitest';
import type { z } from 'zod';
import type { Clock, Context, Log, ProbeInput, ProbeOutput, ProbeType } from '../../src/ports.ts';
import { evaluateCondition } from '../../src/runtime/spec-conditions.ts';

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };
const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

export interface RunOptions {
  readonly timeoutMs?: number;
  readonly reads?: ReadonlySet<string>;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs a type once as the runtime does: a validated spec, a signal that aborts at the deadline. */
export async function probe<Spec extends z.ZodType>(
  type: ProbeType<Spec>,
  spec: z.output<Spec>,
  options: RunOptions = {},
): Promise<ProbeOutput> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  const context: Context = {
    signal: options.signal ?? controller.signal,
    timeoutMs,
    clock: options.clock ?? clock,
    log: silent,
    ...(options.environment && { environment: options.environment }),
  };
  const input: ProbeInput = {
    probe: 'test',
    evaluate: evaluateCondition,
    heartbeat: () => Promise.reject(new Error('a network probe has no heartbeat')),
    ...(options.reads && { reads: options.reads }),
  };
  try {
    return await type.run(spec, input, context);
  } finally {
    clearTimeout(timer);
  }
}

export interface Listening {
  readonly port: number;
  /** Connections that are open now. */
  open(): number;
  /** Resolves when none is open any more; the test's own deadline ends the wait. */
  drained(): Promise<void>;
}

/** A raw TCP server, closed with all its connections when the test ends. */
export async function serveRaw(onConnection: (socket: Socket) => void, host = '127.0.0.1'): Promise<Listening> {
  return await listen(createServer(onConnection), host);
}

/** An honest HTTP server, closed when the test ends. */
export async function serveHttp(onRequest: RequestListener, host = '127.0.0.1'): Promise<Listening> {
  return await listen(createHttpServer(onRequest), host);
}

/** Starts any server, on an ephemeral port unless one is named. */
export async function listen(server: Server, host = '127.0.0.1', port = 0): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // What a client does to a hostile server is the client's business.
    socket.on('error', () => {});
    // Only a socket that is read notices that the other side has closed.
    socket.resume();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, resolve);
  });
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    port: (server.address() as AddressInfo).port,
    open: () => sockets.size,
    async drained() {
      while (sockets.size > 0) await sleep(10);
    },
  };
}

/** Answers every request on a raw connection with these bytes, then leaves the connection open. */
export function answering(bytes: string | Buffer, after?: (socket: Socket) => void) {
  return (socket: Socket) => {
    socket.once('data', () => {
      socket.write(bytes);
      after?.(socket);
    });
  };
}

/** Writes again and again until the connection is closed. */
export function flood(socket: Socket, piece: string | Buffer): void {
  const pump = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', pump);
  pump();
}

/** Writes one piece an interval until the connection is closed. */
export function drip(socket: Socket, piece: string, everyMs: number): void {
  const timer = setInterval(() => socket.write(piece), everyMs);
  socket.on('close', () => clearInterval(timer));
}

/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A port whose backlog is full and whose owner sleeps: the kernel answers no further SYN. */
export async function deafPort(): Promise<number> {
  const owner = fork(new URL('hostile-deaf.mjs', import.meta.url), { execArgv: [] });
  onTestFinished(() => killed(owner));
  const port = await new Promise<number>((resolve, reject) => {
    owner.once('message', (message) => resolve(Number(message)));
    owner.once('error', reject);
  });
  owner.kill('SIGSTOP');
  const fillers = [1, 2, 3, 4].map(() => connect(port, '127.0.0.1').on('error', () => {}));
  onTestFinished(() => {
    for (const filler of fillers) filler.destroy();
  });
  await sleep(200);
  return port;
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

export function sleep(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
