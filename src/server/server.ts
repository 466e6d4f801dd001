/** The HTTP side of the daemon: metrics, health, heartbeats, the API and the plain pages. */
import type { IncomingMessage } from 'node:http';
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { actorOf } from './actor.ts';
import { createGuard, type Guard } from './guard.ts';
import { keepTail } from './ping-body.ts';
import { PROBLEM_TYPE, type ProblemDetails, problemDetailsOf, problemOf } from './problem.ts';
import type { Access, ApiRoute, PlainRoute, ServerParts } from './route.ts';
import { routes } from './routes.ts';
import { serialise } from './serialise.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly access?: Access;
  }
}

export interface ServerOptions extends ServerParts, Entrance {}

/** Where clients come in, and who may. */
export interface Entrance {
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** With a token, everything but health and pings needs it. Without one only loopback may be listened on. */
  readonly token?: string;
  readonly publicUrl: string;
  /** What clients may take of us. Default: LIMITS. */
  readonly limits?: Partial<Limits>;
}

/** Without routes: it refuses whoever may not come in, and tells everybody else that there is nothing. */
export interface GuardedApp {
  readonly app: FastifyInstance;
  readonly limits: Limits;
  /** Rejects with the system's error (EADDRINUSE, EACCES) when it cannot. */
  listen(): Promise<Server>;
}

export interface Server {
  readonly address: { readonly host: string; readonly port: number };
  /** Idle connections end at once, requests under way get two seconds. */
  close(): Promise<void>;
}

export interface Limits {
  readonly bodyBytes: number;
  readonly headerBytes: number;
  readonly connections: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
  readonly headersMs: number;
  readonly requestMs: number;
  readonly keepAliveMs: number;
  /** What requests under way get when the server closes. */
  readonly closeMs: number;
}

const LIMITS: Limits = {
  bodyBytes: 100 * 1024,
  headerBytes: 16 * 1024,
  connections: 1_000,
  idleMs: 30_000,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 65_000,
  closeMs: 2_000,
};

const NO_SUCH_ROUTE = 'no such path, or not with this method: GET /api/v1/openapi.json names every one of the API';

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
  const { app, limits, listen } = createGuardedApp(options);
  for (const route of routes) {
    if (route.kind === 'api') addApiRoute(app, route, options, limits);
    else if (route.anyBody) await addPingRoute(app, route, options);
    else addPlainRoute(app, route, options);
  }
  return listen();
}

export function createGuardedApp(options: Entrance & Pick<ServerParts, 'log' | 'redact'>): GuardedApp {
  const { listen: where, token, publicUrl } = options;
  const limits = { ...LIMITS, ...options.limits };
  const app = createApp(limits);
  app.server.maxConnections = limits.connections;
  addGuard(app, createGuard({ host: where.host, publicUrl, ...(token !== undefined && { token }) }));
  addErrorAnswers(app, options);
  return {
    app,
    limits,
    async listen() {
      await app.listen(where);
      const bound = app.server.address();
      const port = typeof bound === 'object' && bound !== null ? bound.port : where.port;
      return { address: { host: where.host, port }, close: () => close(app, limits) };
    },
  };
}

function createApp(limits: Limits): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    connectionTimeout: limits.idleMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 250 },
    // What the router itself refuses: an undecodable path, a parameter that is too long. Its own message repeats the URL.
    frameworkErrors: (error, _request, reply) => {
      reply.headers(SECURITY_HEADERS);
      const { statusCode = 400, code } = error;
      const detail = statusCode === 414 ? 'a name in the path is too long' : 'the path is not percent-encoded as UTF-8';
      return answerProblem(reply, problemDetailsOf(statusCode, code.toLowerCase(), detail));
    },
    // Routes check their input with zod: otherwise fastify loads Ajv and its code generators, 8 MB.
    schemaController: { compilersFactory: { buildValidator: noFastifySchemas, buildSerializer: noFastifySchemas } },
    http: {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headersMs),
    },
  });
  app.removeAllContentTypeParsers();
  const parseJson = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else parseJson(request, String(body), done);
  });
  return app;
}

function noFastifySchemas(): never {
  throw new Error('routes have no fastify schema');
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

function addErrorAnswers(app: FastifyInstance, { log, redact }: Pick<ServerParts, 'log' | 'redact'>): void {
  app.setNotFoundHandler((_request, reply) =>
    answerProblem(reply, problemDetailsOf(404, 'no_such_route', NO_SUCH_ROUTE)),
  );
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const problem = problemOf(error);
    if (problem.status >= 500)
      log.error('request_failed', { method: request.method, url: request.routeOptions.url, error });
    if (problem.status === 503) reply.header('retry-after', '5');
    const { detail } = problem;
    return answerProblem(reply, detail === undefined ? problem : { ...problem, detail: redact(detail) });
  });
}

export function answerProblem(reply: FastifyReply, problem: ProblemDetails): FastifyReply {
  return reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
}

function addApiRoute(app: FastifyInstance, route: ApiRoute, parts: ServerParts, { idleMs }: Limits): void {
  app.route({
    method: route.method,
    url: route.path,
    config: { access: route.access },
    async handler(request, reply) {
      const { params, query, body } = request;
      const user = actorOf(request.headers);
      if (route.slow) request.socket.setTimeout(0);
      const answer = await route.answer({ params, query, body, ...(user !== undefined && { user }) }, parts);
      if (route.slow) request.socket.setTimeout(idleMs);
      return reply.type('application/json; charset=utf-8').send(await serialise(answer, parts.redact));
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
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request: FastifyRequest, payload: IncomingMessage) => keepTail(payload));
    addPlainRoute(scope, route, parts);
    done();
  });
}

async function close(app: FastifyInstance, { closeMs }: Limits): Promise<void> {
  const impatience = setTimeout(() => app.server.closeAllConnections(), closeMs);
  try {
    await app.close();
  } finally {
    clearTimeout(impatience);
  }
}
