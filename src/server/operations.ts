/** What other programs ask for: scrapes, health, reload, pings. */
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { PingKind } from '../model.ts';
import { actorOf } from './actor.ts';
import { problemLines } from './json.ts';
import { acceptsGzip, metricsFormat } from './negotiate.ts';
import type { PlainRoute, ServerParts } from './route.ts';

const compress = promisify(gzip);
export const TEXT = 'text/plain; charset=utf-8';
/** Kept of a ping's body. Healthchecks tells its clients in a header of this name. */
export const PING_BODY_BYTES = 10_000;

export const operations: readonly PlainRoute[] = [
  {
    kind: 'plain',
    method: 'GET',
    path: '/metrics',
    access: 'read',
    summary: 'Prometheus text, or OpenMetrics',
    respond: scrape,
  },
  {
    kind: 'plain',
    method: 'GET',
    path: '/-/healthy',
    access: 'open',
    summary: 'The process answers',
    respond: async (_request, reply) => reply.type(TEXT).send('healthy\n'),
  },
  {
    kind: 'plain',
    method: 'GET',
    path: '/-/ready',
    access: 'open',
    summary: 'The daemon probes, stores and alerts',
    async respond(_request, reply, { views }) {
      const { ready, why } = views.readiness();
      return reply
        .code(ready ? 200 : 503)
        .type(TEXT)
        .send(`${why}\n`);
    },
  },
  {
    kind: 'plain',
    method: 'POST',
    path: '/-/reload',
    access: 'change',
    summary: 'Load the home again, all or nothing',
    respond: reload,
  },
  {
    kind: 'plain',
    method: 'POST',
    path: '/api/v1/backup',
    access: 'change',
    summary: 'All that the store holds, as one gzip file, while everything goes on',
    respond: backUp,
  },
  ping('/ping/:key', () => ({ kind: 'success' })),
  ping('/ping/:key/start', () => ({ kind: 'start' })),
  ping('/ping/:key/fail', () => ({ kind: 'fail' })),
  ping('/ping/:key/log', () => ({ kind: 'log' })),
  ping('/ping/:key/:exit', ({ exit = '' }) => {
    const exitCode = /^\d{1,3}$/.test(exit) ? Number(exit) : 256;
    return exitCode > 255 ? undefined : { kind: exitCode === 0 ? 'success' : 'fail', exitCode };
  }),
];

export async function scrape(
  request: FastifyRequest,
  reply: FastifyReply,
  { metrics }: Pick<ServerParts, 'metrics'>,
): Promise<FastifyReply> {
  const { contentType, body, release } = await metrics.render(metricsFormat(request.headers.accept));
  reply.raw.once('close', release);
  reply.type(contentType).header('vary', 'accept, accept-encoding');
  if (!acceptsGzip(request.headers['accept-encoding'])) return reply.send(body);
  return reply.header('content-encoding', 'gzip').send(await compress(body, { level: constants.Z_BEST_SPEED }));
}

async function reload(request: FastifyRequest, reply: FastifyReply, parts: ServerParts): Promise<FastifyReply> {
  const outcome = await parts.commands.reload(actorOf(request.headers) ?? 'local');
  reply.type(TEXT);
  if (!outcome.ok) return reply.code(400).send(parts.redact(problemLines(outcome.problems)));
  return reply.send(outcome.changed.length === 0 ? 'nothing changed\n' : `reloaded: ${outcome.changed.join(', ')}\n`);
}

/** Streamed as it is made. A failure on the way cuts the connection, and the file lacks its end. */
async function backUp(request: FastifyRequest, reply: FastifyReply, parts: ServerParts): Promise<FastifyReply> {
  const bytes = Readable.from(parts.store.backup());
  parts.log.info('backup_begun', { by: actorOf(request.headers) ?? 'local' });
  bytes.once('error', (error) => parts.log.error('backup_failed', { error }));
  // A large table may be sorted for minutes before the next byte comes.
  request.socket.setTimeout(0);
  return reply.type('application/gzip').header('connection', 'close').send(bytes);
}

interface Ping {
  readonly kind: PingKind;
  readonly exitCode?: number;
}

/**
 * Heartbeats as the clients of Healthchecks send them (https://healthchecks.io/docs/http_api/): GET, HEAD and POST,
 * `OK` in answer, any `rid` accepted. An unknown key and a known one with a wrong suffix look the same.
 */
function ping(path: string, kindOf: (params: Record<string, string | undefined>) => Ping | undefined): PlainRoute {
  return {
    kind: 'plain',
    method: 'GET',
    alsoPost: true,
    anyBody: true,
    path,
    access: 'open',
    summary: 'A heartbeat',
    async respond(request, reply, { commands, redact }) {
      const params = request.params as Record<string, string | undefined>;
      const kind = kindOf(params);
      reply.type(TEXT).header('ping-body-limit', PING_BODY_BYTES).header('access-control-allow-origin', '*');
      if (kind === undefined) return reply.code(400).send('invalid url format');
      const body = typeof request.body === 'string' ? redact(request.body).slice(-PING_BODY_BYTES) : '';
      const known = await commands.ping(params['key'] ?? '', { ...kind, ...(body !== '' && { body }) });
      return known ? reply.send('OK') : reply.code(404).send('not found');
    },
  };
}
