/**
 * The way to a Docker engine: where it listens, how a call to it ends at a deadline, and what its errors mean.
 * API: https://docs.docker.com/reference/api/engine/version/v1.41/
 */
import { Agent } from 'node:http';
import { inspect } from 'node:util';
import type Docker from 'dockerode';
import { z } from 'zod';
import { AppError, codeOf, messageOf } from '../errors.ts';
import { loadLibrary } from '../library.ts';
import type { Reason } from '../model.ts';

export type Engine = Docker;

export const DEFAULT_SOCKET = '/var/run/docker.sock';

const CONTAINER_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** A container's name or id. Never empty: an empty selector must not come to mean "all". */
export function containerName() {
  return z
    .string()
    .regex(
      CONTAINER_NAME,
      'is not the name of a container: letters, digits, `_`, `.` and `-`, starting with a letter or digit',
    )
    .meta({ description: 'Name or id of a container' });
}

/** Where the engine listens: the path of a unix socket, or `http://host:port`. */
export function engineSocket() {
  return z
    .string()
    .refine(
      (text) => parseSocket(text) !== undefined,
      'is not an engine: write /path/to/docker.sock or http://host:port',
    )
    .default(DEFAULT_SOCKET)
    .meta({ description: `Where the engine listens: a unix socket, or http://host:port. Default: ${DEFAULT_SOCKET}` });
}

interface Address {
  readonly protocol: 'http' | 'https';
  /** Empty for a unix socket. */
  readonly host: string;
  readonly port?: string;
  readonly socketPath?: string;
}

function parseSocket(text: string): Address | undefined {
  const path = text.replace(/^unix:\/\//, '');
  if (path.startsWith('/')) return { protocol: 'http', host: '', socketPath: path };
  const url = /^(?:https?|tcp):\/\//.test(text) && URL.canParse(text) ? new URL(text) : undefined;
  if (!url?.hostname) return undefined;
  const protocol = url.protocol === 'https:' ? 'https' : 'http';
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return { protocol, host, port: url.port || (protocol === 'https' ? '2376' : '2375') };
}

/** `/run/docker.sock`, or `host:port` without userinfo, for labels and messages. */
export function describeSocket(socket: string): string {
  const address = parseSocket(socket);
  return address?.socketPath ?? `${address?.host ?? socket}:${address?.port ?? ''}`;
}

/** The library prints what it sends before each request, for nobody; all that hangs on an agent would be most of it. */
class QuietAgent extends Agent {
  [inspect.custom](): string {
    return 'Agent';
  }
}

/** A client for the engine; nothing is sent yet. */
export async function openEngine(socket: string): Promise<Engine> {
  const Client = loadLibrary<typeof Docker>('dockerode');
  const address = parseSocket(socket);
  if (address === undefined) throw new AppError('docker_socket', `${socket} is not the address of a Docker engine`);
  // A connection kept alive across a restart of the engine would fail the first call after it.
  // `host` is always given: DOCKER_HOST of the environment would win over the socket otherwise.
  return new Client({
    ...address,
    ...(address.protocol === 'http' && { agent: new QuietAgent({ keepAlive: false }) }),
  });
}

/**
 * An answer of the engine, or the signal's reason. Dockerode leaves a call unsettled when the engine dies in the middle
 * of its answer, so the signal given to the call itself is not enough.
 */
export function withSignal<T>(signal: AbortSignal, call: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    const stopListening = () => signal.removeEventListener('abort', abort);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    call.then(resolve, reject).finally(stopListening);
  });
}

/** The engine's HTTP status behind an error of dockerode; undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}

export interface EngineFault {
  readonly reason: Reason;
  readonly error: string;
}

const REASONS_BY_CODE: Readonly<Record<string, Reason>> = {
  ENOENT: 'connect_refused',
  ECONNREFUSED: 'connect_refused',
  EACCES: 'auth',
  EPERM: 'auth',
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  ETIMEDOUT: 'connect_timeout',
  ECONNRESET: 'unreachable',
  EPIPE: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  docker_answer: 'protocol',
};

/**
 * Why the *engine* did not do what was asked: its fault says nothing about any container.
 * undefined: the error is not the engine's doing, but a bug or our own want of descriptors.
 */
export function engineFault(error: unknown, socket: string, signal: AbortSignal): EngineFault | undefined {
  const engine = `the Docker engine at ${describeSocket(socket)}`;
  if (signal.aborted) return { reason: 'timeout', error: `${engine} did not answer before the deadline` };
  const status = statusOf(error);
  if (status !== undefined)
    return { reason: 'http_status', error: `${engine} answered ${status}: ${engineMessage(error)}` };
  const code = codeOf(error) ?? '';
  const reason = REASONS_BY_CODE[code] ?? (code.startsWith('HPE_') ? 'protocol' : undefined);
  return reason && { reason, error: `${engine} did not answer: ${messageOf(error)}` };
}

/** Characters of an id that are enough to mean it. */
const SHORT_ID = 12;

/** The name is exactly this, or the id begins with at least twelve characters of it. */
export function isCalled({ id, name }: { readonly id: string; readonly name: string }, container: string): boolean {
  return name.replace(/^\//, '') === container || (container.length >= SHORT_ID && id.startsWith(container));
}

const IDENTITY = z.looseObject({ Id: z.string(), Name: z.string() });

/**
 * The engine's full answer about exactly this container; undefined when there is none. Asked for `db` while no container
 * is called so, the engine itself would answer with one whose *id* begins with `db`.
 */
export async function inspectExactly(
  engine: Engine,
  container: string,
  signal: AbortSignal,
): Promise<z.output<typeof IDENTITY> | undefined> {
  try {
    const answer = await withSignal(signal, engine.getContainer(container).inspect({ abortSignal: signal }));
    const found = parseAnswer(IDENTITY, answer);
    return isCalled({ id: found.Id, name: found.Name }, container) ? found : undefined;
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw error;
  }
}

/** Reads an answer of the engine at the edge; one of another shape is an AppError `docker_answer`. */
export function parseAnswer<Schema extends z.ZodType>(schema: Schema, answer: unknown): z.output<Schema> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new AppError('docker_answer', `not an answer of a Docker engine: ${z.prettifyError(parsed.error)}`);
}

/** What the engine itself said, without dockerode's wrapping. */
export function engineMessage(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'json' in error) {
    const answer = z.object({ message: z.string() }).safeParse(error.json);
    if (answer.success) return answer.data.message.trim();
  }
  return messageOf(error).trim();
}

export interface EngineCall {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body?: object;
  readonly signal: AbortSignal;
  /** Answers the body as a stream instead of reading it whole. */
  readonly stream?: boolean;
}

interface Dialer {
  dial(options: object, done: (error: unknown, answer: unknown) => void): void;
}

/** What dockerode's own methods cannot do: logs as a stream, filters for every kind of pruning, long bodies off the URL. */
export function callEngine(
  engine: Engine,
  { method, path, query, body = {}, signal, stream = false }: EngineCall,
): Promise<unknown> {
  const options = {
    method,
    path: `${path}?`,
    options: { _query: query, _body: body },
    isStream: stream,
    abortSignal: signal,
    statusCodes: { 200: true, 201: true },
  };
  const dialer: Dialer = engine.modem;
  const call = new Promise((resolve, reject) => {
    dialer.dial(options, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
  return withSignal(signal, call);
}
