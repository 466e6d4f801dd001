/** `brainstem incidents`: list, show, acknowledge, resolve, comment. */
import type { Answer, Client } from './client.ts';
import type { CliIo } from './io.ts';
import { json, paint, plain, plainLines, table } from './print.ts';

type Incident = Answer<'incident'>;

export interface ListArguments {
  /** Resolved ones, too. */
  readonly all: boolean;
  readonly limit: number;
  readonly json: boolean;
}

/** Exit code 0. */
export async function listIncidents(
  client: Client,
  { all, limit, json: asJson }: ListArguments,
  io: CliIo,
): Promise<number> {
  const filter = `?limit=${limit}${all ? '' : '&open=true'}`;
  const { incidents } = await client.get<{ incidents: Incident[] }>(`/api/v1/incidents${filter}`);
  if (asJson) io.out(json(incidents));
  else if (incidents.length === 0) io.out(all ? 'there has been no incident\n' : 'no incident is open\n');
  else io.out(table(io, ['incident', 'state', 'severity', '', 'opened', 'cause'], incidents.map(row)));
  return 0;
}

function row(incident: Incident): string[] {
  const { id, severity, title, opened_at, cause } = incident;
  return [`#${id}`, stateOf(incident), severity, plain(title), opened_at.slice(0, 19).replace('T', ' '), plain(cause)];
}

function stateOf({ resolved_at, resolution, acknowledged_by }: Incident): string {
  if (resolved_at !== undefined) return plain(resolution ?? 'resolved').replaceAll('_', ' ');
  return acknowledged_by === undefined ? 'open' : 'acknowledged';
}

/** The incident and its story. Exit code 0. Errors: RefusedError when there is no such incident. */
export async function showIncident(
  client: Client,
  { id, json: asJson }: { readonly id: number; readonly json: boolean },
  io: CliIo,
): Promise<number> {
  const incident = await client.get<Answer<'incidentDetail'>>(`/api/v1/incidents/${id}`);
  io.out(asJson ? json(incident) : story(incident, io));
  return 0;
}

function story(incident: Answer<'incidentDetail'>, io: CliIo): string {
  const lines = [
    `#${incident.id} ${paint(io, 'bold', plain(incident.title))}  ${incident.severity}, ${stateOf(incident)}`,
    plain(incident.cause),
    '',
    ...incident.timeline.map(({ at, kind, text, actor }) => {
      const indented = plainLines(text).replaceAll('\n', '\n    ');
      const who = actor === 'brainstem' ? '' : ` by ${plain(actor)}`;
      return `${paint(io, 'dim', at.slice(0, 19).replace('T', ' '))}  ${kind.replaceAll('_', ' ')}${who}  ${indented}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

/** Exit code 0. Errors: RefusedError. */
export async function acknowledge(client: Client, { id }: { readonly id: number }, io: CliIo): Promise<number> {
  const { title } = await client.post<Incident>(`/api/v1/incidents/${id}/ack`, {});
  io.out(`#${id} ${plain(title)}: acknowledged; no reminders and no automatic fixes until it is resolved\n`);
  return 0;
}

/** Exit code 0. Errors: RefusedError when its probe still fails and `force` is not set. */
export async function resolveIncident(
  client: Client,
  { id, force }: { readonly id: number; readonly force: boolean },
  io: CliIo,
): Promise<number> {
  const { title } = await client.post<Incident>(`/api/v1/incidents/${id}/resolve`, { force });
  io.out(`#${id} ${plain(title)}: resolved\n`);
  return 0;
}

/** Exit code 0. Errors: RefusedError. */
export async function comment(
  client: Client,
  { id, text }: { readonly id: number; readonly text: string },
  io: CliIo,
): Promise<number> {
  await client.post(`/api/v1/incidents/${id}/comment`, { text });
  io.out(`#${id}: commented\n`);
  return 0;
}
