/** The HTTP side of the daemon: metrics, health, heartbeats, the API and the plain pages. */
import type { IncomingMessage } from 'node:http';
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { actorOf } from './actor.ts';
import { createGuard, type Guard } from './guard.ts';
import { stringify } from './json.ts';
import { keepTail } from './ping-body.ts';
import { PROBLEM_TYPE, type ProblemDetails, problemDetailsOf, problemOf } from './problem.ts';
import type { Access, ApiRoute, PlainRoute, ServerParts } from './route.ts';
import { routes } from './routes.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly access?: Access;
  }
}

export interface ServerOptions extends ServerParts {
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** With a token, everything but health and pings needs it. Without one only loopback may be listened on. */
  readonly token?: string;
  readonly publicUrl: string;
}

export interface Server {
  readonly address: { readonly host: string; readonly port: number };
  /** Requests under way get two seconds. */
  close(): Promise<void>;
}

const LIMITS = {
  bodyBytes: 100 * 1024,
  headerBytes: 16 * 1024,
  connections: 1_000,
  /** Without a byte in either direction. */
  idleMs: 30_000,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 65_000,
  closeMs: 2_000,
} as const;

const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

/** Listens. Rejects with the system's error (EADDRINUSE, EACCES) when it cannot. */
export async function createServer(options: ServerOptions): Promise<Server> {
  const { listen, token, publicUrl } = options;
  const app = createApp();
  app.server.maxConnections = LIMITS.connections;
  addGuard(app, createGuard({ host: listen.host, publicUrl, ...(token !== undefined && { token }) }));
  addErrorAnswers(app, options);
  for (const route of routes) {
    if (route.kind === 'api') addApiRoute(app, route, options);
    else if (route.anyBody) await addPingRoute(app, route, options);
    else addPlainRoute(app, route, options);
  }
  await app.listen(listen);
  const bound = app.server.address();
  const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port;
  return { address: { host: listen.host, port }, close: () => close(app) };
}

function createApp(): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: LIMITS.bodyBytes,
    connectionTimeout: LIMITS.idleMs,
    requestTimeout: LIMITS.requestMs,
    keepAliveTimeout: LIMITS.keepAliveMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 250 },
    http: { maxHeaderSize: LIMITS.headerBytes, headersTimeout: LIMITS.headersMs, connectionsCheckingInterval: 1_000 },
  });
  app.removeAllContentTypeParsers();
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else parseJson(request, String(body), done);
  });
  return app;
}

function addGuard(app: FastifyInstance, guard: Guard): void {
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    const { access } = request.routeOptions.config;
    if (access === undefined && !request.is404) return answerProblem(reply, problemDetailsOf(403, 'unlisted_route'));
    const refused = guard(access ?? 'read', request.headers);
    if (refused === undefined) return undefined;
    if (refused.status === 401) reply.header('www-authenticate', 'Bearer realm="brainstem"');
    return answerProblem(reply, refused);
  });
}

function addErrorAnswers(app: FastifyInstance, { log, redact }: ServerParts): void {
  app.setNotFoundHandler((_request, reply) => answerProblem(reply, problemDetailsOf(404, 'no_such_route')));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = problemOf(error);
    if (problem.status >= 500)
      log.error('request_failed', { method: request.method, url: request.routeOptions.url, error });
    if (problem.status === 503) reply.header('retry-after', '5');
    const { detail } = problem;
    return answerProblem(reply, detail === undefined ? problem : { ...problem, detail: redact(detail) });
  });
}

function answerProblem(reply: FastifyReply, problem: ProblemDetails): FastifyReply {
  return reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
}

function addApiRoute(app: FastifyInstance, route: ApiRoute, parts: ServerParts): void {
  app.route({
    method: route.method,
    url: route.path,
    config: { access: route.access },
    async handler(request, reply) {
      const { params, query, body } = request;
      const user = actorOf(request.headers);
      if (route.slow) request.socket.setTimeout(0);
      const answer = await route.answer({ params, query, body, ...(user !== undefined && { user }) }, parts);
      if (route.slow) request.socket.setTimeout(LIMITS.idleMs);
      return reply.type('application/json; charset=utf-8').send(stringify(answer, parts.redact));
    },
  });
}

function addPlainRoute(app: FastifyInstance, route: PlainRoute, parts: ServerParts): void {
  app.route({
    method: route.alsoPost ? [route.method, 'POST'] : route.method,
    url: route.path,
    config: { access: route.access },
    handler: (request: FastifyRequest, reply: FastifyReply) => route.respond(request, reply, parts),
  });
}

/** In a scope of its own, so that no other route accepts bodies of any type. */
async function addPingRoute(app: FastifyInstance, route: PlainRoute, parts: ServerParts): Promise<void> {
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request: FastifyRequest, payload: IncomingMessage) => keepTail(payload));
    addPlainRoute(scope, route, parts);
  });
}

async function close(app: FastifyInstance): Promise<void> {
  const impatience = setTimeout(() => app.server.closeAllConnections(), LIMITS.closeMs);
  try {
    await app.close();
  } finally {
    clearTimeout(impatience);
  }
}
