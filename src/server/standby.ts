/**
 * What a daemon that stands by answers: that it is well, that it is not the brain, and its metrics. Everything else is refused
 * with the way to go, before a body is read.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { scrape, TEXT } from './operations.ts';
import { problemDetailsOf } from './problem.ts';
import type { ServerParts } from './route.ts';
import { routes } from './routes.ts';
import { answerProblem, createGuardedApp, type Entrance, type Server } from './server.ts';

export interface StandbyServerOptions extends Entrance, Pick<ServerParts, 'log' | 'redact' | 'metrics'> {
  /** Where the brain is, or why that cannot be known. */
  why(): string;
}

type Respond = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

export function createStandbyServer(options: StandbyServerOptions): Promise<Server> {
  const { app, listen } = createGuardedApp(options);
  const answered: Readonly<Record<string, Respond>> = {
    '/metrics': (request, reply) => scrape(request, reply, options),
    '/-/healthy': async (_request, reply) => reply.type(TEXT).send('healthy\n'),
    '/-/ready': async (_request, reply) =>
      reply
        .code(503)
        .type(TEXT)
        .send(`${sentence(options)}\n`),
  };
  const refuse: Respond = async (_request, reply) =>
    answerProblem(reply.header('retry-after', '5'), problemDetailsOf(503, 'standby', sentence(options)));
  app.addHook('onRequest', async (request, reply) => {
    const isAnswered = request.is404 || answered[request.routeOptions.url ?? ''] !== undefined;
    return isAnswered ? undefined : refuse(request, reply);
  });
  for (const { kind, method, path, access, ...route } of routes) {
    const alsoPost = kind === 'plain' && 'alsoPost' in route && route.alsoPost;
    app.route({
      ...{ method: alsoPost ? [method, 'POST'] : method, url: path, config: { access } },
      handler: answered[path] ?? refuse,
    });
  }
  return listen();
}

function sentence({ why, redact }: StandbyServerOptions): string {
  return redact(`this daemon stands by: ${why()}`);
}
