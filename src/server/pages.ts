/** The plain pages, their style and their icons. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { messageOf, NotFoundError } from '../errors.ts';
import type { Attempt } from '../model.ts';
import { idParams } from './api-reads.ts';
import { incidentPage } from './incident-page.ts';
import type { PlainRoute, ServerParts } from './route.ts';
import { statusPage } from './status-page.ts';
import { ICONS, STYLE, STYLE_PATH } from './style.ts';

const HTML = 'text/html; charset=utf-8';
const ATTEMPTS_SHOWN = 10;

export const pages: readonly PlainRoute[] = [
  page('/', 'The state of everything, on one page', (_request, parts) => renderStatus(parts)),
  page('/incidents/:id', 'The story of one incident', renderIncident),
  asset(STYLE_PATH, 'text/css; charset=utf-8', STYLE),
  asset('/assets/icon-fine.svg', 'image/svg+xml', ICONS.fine),
  asset('/assets/icon-trouble.svg', 'image/svg+xml', ICONS.trouble),
];

type Render = (request: FastifyRequest, parts: ServerParts) => Promise<string>;

function page(path: string, summary: string, render: Render): PlainRoute {
  return {
    kind: 'plain',
    method: 'GET',
    path,
    access: 'read',
    summary,
    respond: async (request, reply, parts) => reply.type(HTML).send(await render(request, parts)),
  };
}

function asset(path: string, type: string, content: string): PlainRoute {
  return {
    kind: 'plain',
    method: 'GET',
    path,
    access: 'read',
    summary: 'Part of the pages',
    respond: async (_request: FastifyRequest, reply: FastifyReply) =>
      reply.type(type).header('cache-control', 'max-age=3600').send(content),
  };
}

async function renderStatus(parts: ServerParts): Promise<string> {
  const { views, clock, version, redact } = parts;
  return statusPage({
    now: clock.now(),
    version,
    probes: views.probes(),
    incidents: views.openIncidents(),
    silences: views.silences(),
    silencedBy: views.silencedBy,
    attempts: await recentAttempts(parts),
    active: views.activeAttempts(),
    frozen: views.frozen(),
    disarmed: views.disarmed(),
    problems: views.reloadProblems(),
    redact,
  });
}

/** The page is needed most when something is wrong: it shows without the store, too. */
async function recentAttempts({ store, log }: ServerParts): Promise<readonly Attempt[] | undefined> {
  try {
    return await store.attempts({ limit: ATTEMPTS_SHOWN });
  } catch (error) {
    log.warn('page_without_store', { error: messageOf(error) });
    return undefined;
  }
}

async function renderIncident(
  request: FastifyRequest,
  { store, views, clock, version, redact }: ServerParts,
): Promise<string> {
  const parsed = idParams.safeParse(request.params);
  const incident = parsed.success ? await store.incident(parsed.data.id) : undefined;
  if (incident === undefined)
    throw new NotFoundError('incident_unknown', 'there is no such incident; / shows those that are open');
  const [timeline, attempts, notifications] = await Promise.all([
    store.timeline(incident.id),
    store.attempts({ incidentId: incident.id, limit: 100 }),
    store.notifications({ incidentId: incident.id, limit: 100 }),
  ]);
  const silence = views.silencedBy(incident);
  return incidentPage({ now: clock.now(), version, incident, silence, timeline, attempts, notifications, redact });
}
