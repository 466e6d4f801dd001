/**
 * A webhook: the alert as JSON, POSTed to a URL, signed when a secret is set.
 *
 * Headers: `X-Brainstem-Event-Id` (the same at every delivery of an event), `X-Brainstem-Timestamp` (seconds since the
 * epoch, of this delivery) and, with a secret, `X-Brainstem-Signature: sha256=` + hex HMAC-SHA256 of
 * `timestamp + "." + body`. A receiver should refuse a timestamp older than five minutes, and drop an event id it has seen.
 *
 * Any 2xx answer is a delivery. 408, 425, 429, 5xx and network errors are tried again, `Retry-After` is obeyed for 429
 * and 503 only; every other answer, redirects included, needs a person.
 */
import { createHmac } from 'node:crypto';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { codeOf, messageOf } from '../errors.ts';
import { loadLibrary } from '../library.ts';
import type { Alert, AlertKind, Incident, Severity } from '../model.ts';
import type { Context, NotifierOutput, NotifierType } from '../ports.ts';
import { secret } from '../spec.ts';

const spec = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .meta({ writeOnly: true, description: 'Where the JSON goes. Treated as a secret: such URLs often carry one' }),
  secret: secret().optional().describe('Signs every body: X-Brainstem-Signature. Default: unsigned'),
  headers: z.record(z.string(), secret()).default({}).describe('Further request headers, such as Authorization'),
});
type Spec = z.output<typeof spec>;

/** What receivers get. Fields are only ever added; absent values are null; times are RFC 3339 in UTC. */
interface WebhookBody {
  readonly version: 1;
  /** The same for every delivery of this event. */
  readonly event_id: string;
  readonly kind: AlertKind;
  readonly at: string;
  readonly severity: Severity;
  readonly title: string;
  /** One line: what happened. */
  readonly text: string;
  readonly facts: readonly { readonly label: string; readonly value: string }[];
  readonly url: string;
  /** null for digests and tests. */
  readonly incident: WebhookIncident | null;
  /** Every incident that a digest stands for; empty otherwise. */
  readonly digest: readonly { readonly incident_id: number; readonly title: string; readonly kind: AlertKind }[];
}

interface WebhookIncident {
  readonly id: number;
  readonly state: 'open' | 'resolved';
  readonly source: Incident['source'];
  readonly subject: string;
  readonly title: string;
  readonly severity: Severity;
  readonly reason: Incident['reason'];
  readonly cause: string;
  readonly degraded: boolean;
  readonly opened_at: string;
  readonly resolved_at: string | null;
  readonly resolution: Incident['resolution'] | null;
  readonly acknowledged_at: string | null;
  readonly acknowledged_by: string | null;
  readonly healed_by: string | null;
  readonly parent_id: number | null;
}

export const webhook: NotifierType<typeof spec> = {
  name: 'webhook',
  summary: 'A URL that takes signed JSON',
  spec,
  mainOption: 'url',
  example: `notifiers:
  bus: { webhook: { url: "\${ALERT_WEBHOOK_URL}", secret: "\${ALERT_WEBHOOK_SECRET}" } }
`,
  async run(options, { alert }, context): Promise<NotifierOutput> {
    const body = JSON.stringify(bodyOf(alert));
    try {
      const { status, retryAfter } = await post(options, body, headersOf(options, alert, body, context), context);
      return outcome(status, retryAfter, context.clock.now());
    } catch (thrown) {
      return { delivered: false, retry: true, error: codeOf(thrown) ?? messageOf(thrown) };
    }
  },
};

function bodyOf(alert: Alert): WebhookBody {
  return {
    version: 1,
    event_id: alert.eventId,
    kind: alert.kind,
    at: isoTime(alert.at),
    severity: alert.severity,
    title: alert.title,
    text: alert.text,
    facts: alert.facts,
    url: alert.url,
    incident: alert.incident ? incidentOf(alert.incident) : null,
    digest: (alert.digest ?? []).map(({ incidentId, title, kind }) => ({ incident_id: incidentId, title, kind })),
  };
}

function incidentOf(incident: Incident): WebhookIncident {
  return {
    id: incident.id,
    state: incident.resolvedAt === undefined ? 'open' : 'resolved',
    source: incident.source,
    subject: incident.subject,
    title: incident.title,
    severity: incident.severity,
    reason: incident.reason,
    cause: incident.cause,
    degraded: incident.degraded,
    opened_at: isoTime(incident.openedAt),
    resolved_at: isoTimeOrNull(incident.resolvedAt),
    resolution: incident.resolution ?? null,
    acknowledged_at: isoTimeOrNull(incident.acknowledgedAt),
    acknowledged_by: incident.acknowledgedBy ?? null,
    healed_by: incident.healedBy ?? null,
    parent_id: incident.parentId ?? null,
  };
}

function isoTime(at: number): string {
  return new Date(at).toISOString();
}

function isoTimeOrNull(at: number | undefined): string | null {
  return at === undefined ? null : isoTime(at);
}

/** Hex HMAC-SHA256 of `timestamp.body`, as it stands in `X-Brainstem-Signature`. */
function signatureOf(key: string, timestamp: string, body: string): string {
  return `sha256=${createHmac('sha256', key).update(`${timestamp}.${body}`).digest('hex')}`;
}

/** Ours come last: a configured header cannot replace them. */
function headersOf(options: Spec, alert: Alert, body: string, { clock }: Context): Record<string, string> {
  const timestamp = String(Math.floor(clock.now() / 1_000));
  return {
    'User-Agent': 'Brainstem',
    ...options.headers,
    'Content-Type': 'application/json',
    'X-Brainstem-Event-Id': alert.eventId,
    'X-Brainstem-Timestamp': timestamp,
    ...(options.secret !== undefined && { 'X-Brainstem-Signature': signatureOf(options.secret, timestamp, body) }),
  };
}

async function post(options: Spec, body: string, headers: Record<string, string>, { signal }: Context) {
  // Loaded with the first alert, so that a daemon without webhooks does not carry it.
  const axios = loadLibrary<typeof import('axios').default>('axios');
  const response = await axios.post<Readable>(options.url, body, {
    headers,
    signal,
    proxy: false,
    maxRedirects: 0,
    responseType: 'stream',
    validateStatus: null,
  });
  // The status alone decides: the body is never read, so that an endless or a cut one changes nothing.
  response.data.on('error', () => undefined).destroy();
  const retryAfter: unknown = response.headers['retry-after'];
  return { status: response.status, retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined };
}

function outcome(status: number, retryAfter: string | undefined, now: number): NotifierOutput {
  if (status >= 200 && status < 300) return { delivered: true };
  const retry = status >= 500 || status === 408 || status === 425 || status === 429;
  const retryAfterMs = status === 429 || status === 503 ? parseRetryAfter(retryAfter, now) : undefined;
  return { delivered: false, retry, ...(retryAfterMs !== undefined && { retryAfterMs }), error: `HTTP ${status}` };
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3) as milliseconds from `now`; undefined when it is neither. */
export function parseRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1_000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
