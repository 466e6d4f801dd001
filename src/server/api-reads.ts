/** The part of the API that reads. */
import { z } from 'zod';
import { NotFoundError } from '../errors.ts';
import { ATTEMPT_STATES } from '../model.ts';
import { instead } from '../nearest.ts';
import type { Views } from '../ports.ts';
import {
  attemptJson,
  auditJson,
  configurationJson,
  countStates,
  freezeJson,
  incidentJson,
  incidentsByProbe,
  isoTime,
  notificationJson,
  probeDetailJson,
  probeSummaryJson,
  remediationJson,
  resultJson,
  silenceJson,
  timelineJson,
  transitionJson,
} from './json.ts';
import { type ApiRoute, get, type ServerParts } from './route.ts';
import * as schemas from './schemas.ts';

const DAY_MS = 86_400_000;

const number = () => z.coerce.number().int().positive();
export const idParams = z.strictObject({ id: number() });
export const nameParams = z.strictObject({ name: z.string().min(1).max(200) });
export const time = z.iso
  .datetime({ offset: true })
  .transform((text) => Date.parse(text))
  .meta({ format: 'date-time' });
const limit = (most: number, usual: number) =>
  z.coerce.number().int().min(1).max(most).default(usual).describe(`At most ${most}, by default ${usual}`);
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');

export const reads: readonly ApiRoute[] = [
  get({
    path: '/api/v1/self',
    summary: 'The daemon about itself',
    response: schemas.self,
    answer: (_input, { views }) => views.self(),
  }),
  get({
    path: '/api/v1/status',
    summary: 'Everything that is going on: states, open incidents, healing under way, what is held',
    response: schemas.status,
    answer: (_input, parts) => statusJson(parts),
  }),
  get({
    path: '/api/v1/probes',
    summary: 'All probes with state and reason',
    response: z.strictObject({ probes: z.array(schemas.probeSummary) }),
    answer: (_input, { views }) => ({ probes: probeSummaries(views) }),
  }),
  get({
    path: '/api/v1/probes/:name',
    summary: 'One probe: its definition, and everything that its last run observed',
    params: nameParams,
    response: schemas.probeDetail,
    answer: ({ params }, { views }) =>
      probeDetailJson(existingProbe(views, params.name), incidentsByProbe(views.openIncidents())),
  }),
  get({
    path: '/api/v1/probes/:name/history',
    summary: 'Results and changes of state, by default of the last day',
    params: nameParams,
    query: z.strictObject({ from: time.optional(), to: time.optional(), limit: limit(10_000, 1_000) }),
    response: z.strictObject({ results: z.array(schemas.result), transitions: z.array(schemas.event) }),
    async answer({ params, query }, { views, store, clock }) {
      const probe = existingProbe(views, params.name).probe.name;
      const to = query.to ?? clock.now() + 1;
      const from = query.from ?? to - DAY_MS;
      const [results, transitions] = await Promise.all([
        store.results({ probe, from, to, limit: query.limit }),
        store.transitions({ probe, since: from, limit: query.limit }),
      ]);
      return {
        results: results.map(resultJson),
        transitions: transitions.filter(({ at }) => at < to).map(transitionJson),
      };
    },
  }),
  get({
    path: '/api/v1/incidents',
    summary: 'Incidents, newest first',
    query: z.strictObject({
      open: flag.optional(),
      subject: z.string().optional(),
      before: number().optional().describe('The `next` of the page before'),
      limit: limit(500, 50),
    }),
    response: z.strictObject({ incidents: z.array(schemas.incident), next: z.int().optional() }),
    async answer({ query: { open, subject, before, limit: most } }, { store, views }) {
      const filter = {
        ...(open !== undefined && { open }),
        ...(subject !== undefined && { subject }),
        ...(before !== undefined && { beforeId: before }),
      };
      const found = await store.incidents({ ...filter, limit: most });
      const incidents = found.map((each) => incidentJson(each, views));
      return { incidents, next: found.length === most ? found.at(-1)?.id : undefined };
    },
  }),
  get({
    path: '/api/v1/incidents/:id',
    summary: 'One incident with its timeline, attempts and notifications',
    params: idParams,
    response: schemas.incidentDetail,
    answer: ({ params }, parts) => incidentDetailJson(params.id, parts),
  }),
  get({
    path: '/api/v1/silences',
    summary: 'Silences that last or are to come, newest first; with `all` also those that are over',
    query: z.strictObject({ all: flag.optional(), limit: limit(500, 100) }),
    response: z.strictObject({ silences: z.array(schemas.silence) }),
    async answer({ query: { all = false, limit: most } }, { store, views, clock }) {
      const now = clock.now();
      const found = await store.silences({ ...(!all && { endingAfter: now }), limit: most });
      return { silences: found.map((each) => silenceJson(each, views, now)) };
    },
  }),
  get({
    path: '/api/v1/attempts',
    summary: 'Runs of remediations, newest first',
    query: z.strictObject({
      incident_id: number().optional(),
      probe: z.string().optional(),
      remediation: z.string().optional(),
      state: z.enum(ATTEMPT_STATES).optional(),
      limit: limit(500, 50),
    }),
    response: z.strictObject({ attempts: z.array(schemas.attempt) }),
    async answer({ query }, { store }) {
      const { incident_id: incidentId, probe, remediation, state } = query;
      const filter = {
        ...(incidentId !== undefined && { incidentId }),
        ...(probe !== undefined && { probe }),
        ...(remediation !== undefined && { remediation }),
        ...(state !== undefined && { states: [state] }),
      };
      return { attempts: (await store.attempts({ ...filter, limit: query.limit })).map(attemptJson) };
    },
  }),
  get({
    path: '/api/v1/events',
    summary: 'What happened and who did it: changes of state and the audit log, newest first',
    query: z.strictObject({ limit: limit(1_000, 100) }),
    response: z.strictObject({ events: z.array(schemas.event) }),
    async answer({ query }, { store }) {
      const [transitions, audit] = await Promise.all([store.transitions(query), store.auditEntries(query)]);
      const events = [...transitions.map(transitionJson), ...audit.map(auditJson)];
      return { events: events.sort((a, b) => b.at.localeCompare(a.at)).slice(0, query.limit) };
    },
  }),
  get({
    path: '/api/v1/remediations',
    summary: 'All remediations, with what holds them back',
    response: z.strictObject({ remediations: z.array(schemas.remediation) }),
    answer(_input, { views }) {
      const disarmed = new Map(views.disarmed().map((entry) => [entry.remediation, entry]));
      const all = [...views.configuration().remediations.values()];
      return { remediations: all.map((each) => remediationJson(each, disarmed.get(each.name))) };
    },
  }),
  get({
    path: '/api/v1/config',
    summary: 'The running configuration, and why the last reload was refused',
    response: schemas.configuration,
    answer: (_input, { views }) => configurationJson(views),
  }),
];

function probeSummaries(views: Views) {
  const incidents = incidentsByProbe(views.openIncidents());
  return views.probes().map((view) => probeSummaryJson(view, incidents));
}

function existingProbe(views: Views, name: string) {
  const view = views.probe(name);
  if (view !== undefined) return view;
  const advice = instead(name, views.configuration().probes.keys());
  throw new NotFoundError('probe_unknown', `there is no probe "${name}"${advice}`);
}

function statusJson({ views, clock, version }: ServerParts): z.input<typeof schemas.status> {
  const frozen = views.frozen();
  return {
    version,
    now: isoTime(clock.now()),
    ...views.readiness(),
    counts: countStates(views.probes()),
    probes: probeSummaries(views),
    incidents: views.openIncidents().map((each) => incidentJson(each, views)),
    silences: views.silences().map((each) => silenceJson(each, views, clock.now())),
    attempts: views.activeAttempts().map(attemptJson),
    frozen: frozen && freezeJson(frozen),
    disarmed: views.disarmed().map(({ remediation, at, why }) => ({ remediation, at: isoTime(at), why })),
    configuration: configurationJson(views),
  };
}

async function incidentDetailJson(
  id: number,
  { store, views }: ServerParts,
): Promise<z.input<typeof schemas.incidentDetail>> {
  const incident = await store.incident(id);
  if (incident === undefined) throw new NotFoundError('incident_unknown', `there is no incident ${id}`);
  const [timeline, attempts, notifications] = await Promise.all([
    store.timeline(id),
    store.attempts({ incidentId: id, limit: 100 }),
    store.notifications({ incidentId: id, limit: 100 }),
  ]);
  return {
    ...incidentJson(incident, views),
    timeline: timeline.map(timelineJson),
    attempts: attempts.map(attemptJson),
    notifications: notifications.map(notificationJson),
  };
}
