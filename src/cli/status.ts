/** `brainstem status`: what is up, what is not, and what is being done. */
import type { Answer, Client } from './client.ts';
import type { CliIo } from './io.ts';
import { type Color, json, paint, plain, since, table } from './print.ts';

export interface StatusArguments {
  /** Unconfigured probes, too, with the variables that each waits for. */
  readonly all: boolean;
  readonly json: boolean;
}

/** What the exit codes mean; `--help` and README say it in these words. */
export const STATUS_EXITS = '0 nothing is down, degraded or unknown · 1 something is · 2 no daemon answers';

type Status = Answer<'status'>;
type State = keyof Status['counts'];

/** In the order in which a person should look. */
const ORDER: readonly State[] = ['down', 'degraded', 'unknown', 'maintenance', 'up', 'paused', 'unconfigured'];
const COLORS: Readonly<Partial<Record<State, Color>>> = {
  down: 'red',
  degraded: 'yellow',
  unknown: 'magenta',
  up: 'green',
};

/** Exit code: see STATUS_EXITS. Errors: NoDaemonError. */
export async function status(client: Client, { all, json: asJson }: StatusArguments, io: CliIo): Promise<number> {
  const answer = await client.get<Status>('/api/v1/status');
  if (asJson) io.out(json(answer));
  else
    io.out(
      [
        headline(answer, client.url, io),
        held(answer, io),
        incidents(answer, io),
        fixes(answer, io),
        probes(answer, all, io),
      ].join(''),
    );
  const { down, degraded, unknown } = answer.counts;
  return down + degraded + unknown > 0 ? 1 : 0;
}

function headline({ counts, version, ready, why }: Status, url: string, io: CliIo): string {
  const parts = ORDER.filter((state) => counts[state] > 0).map((state) =>
    shade(io, state, `${counts[state]} ${state}`),
  );
  const readiness = ready ? '' : paint(io, 'yellow', `not ready: ${plain(why)}\n`);
  return `${parts.join(', ') || 'no probes'}   ${paint(io, 'dim', `brainstem ${version} at ${url}`)}\n${readiness}`;
}

function held({ frozen, disarmed, silences, configuration, now }: Status, io: CliIo): string {
  const lines: string[] = [];
  if (frozen) lines.push(`healing is frozen by ${plain(frozen.by)}, ${since(frozen.at, now)} ago${reason(frozen.why)}`);
  for (const { remediation, why } of disarmed) lines.push(`${remediation} has disarmed itself${reason(why)}`);
  for (const { id, state, matchers, author, comment, ends_at } of silences) {
    const until = `until ${ends_at.slice(0, 16).replace('T', ' ')} UTC by ${plain(author)}${reason(comment)}`;
    lines.push(`silence ${id}${state === 'pending' ? ', to come' : ''}: ${plain(matchers.join(', '))} ${until}`);
  }
  if (!configuration.ok) lines.push('the last reload was refused; the configuration before it is running:');
  for (const { file, line, column, message } of configuration.problems) {
    lines.push(`  ${file}:${line}:${column}: ${plain(message)}`);
  }
  return lines.map((line) => `${paint(io, 'yellow', line)}\n`).join('');
}

function reason(why: string): string {
  return why === '' ? '' : `: ${plain(why)}`;
}

function incidents({ incidents: open, now }: Status, io: CliIo): string {
  if (open.length === 0) return '';
  const rows = open.map((each) => [
    `#${each.id}`,
    each.severity,
    plain(each.title),
    since(each.active_at, now),
    plain(each.cause),
    incidentNotes(each),
  ]);
  return `\n${table(io, ['incident', 'severity', '', 'for', 'cause', ''], rows)}`;
}

function incidentNotes({ acknowledged_by, silenced_by }: Status['incidents'][number]): string {
  const notes = [
    ...(acknowledged_by === undefined ? [] : [`acknowledged by ${plain(acknowledged_by)}`]),
    ...(silenced_by === undefined ? [] : [`silence ${silenced_by}`]),
  ];
  return notes.join(', ');
}

function fixes({ attempts, now }: Status, io: CliIo): string {
  if (attempts.length === 0) return '';
  const rows = attempts.map((each) => [each.remediation, each.state, each.probe, since(each.intended_at, now)]);
  return `\n${table(io, ['fix', 'state', 'for', 'since'], rows)}`;
}

function probes({ probes: known, now }: Status, all: boolean, io: CliIo): string {
  const shown = known.filter(({ state }) => all || state !== 'unconfigured');
  const sorted = shown.toSorted(
    (a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.name.localeCompare(b.name),
  );
  const rows = sorted.map((each) => [
    shade(io, each.state, each.state),
    each.name,
    each.state === 'unconfigured' ? '' : since(each.since, now),
    each.latency_ms === undefined ? '' : `${Math.round(each.latency_ms)}ms`,
    seen(each),
  ]);
  const left = known.length - shown.length;
  const note = `${left} unconfigured, not shown: \`brainstem status --all\` names the variables that are not set`;
  return [
    rows.length === 0 ? '' : `\n${table(io, ['state', 'probe', 'for', 'latency', 'last seen'], rows)}`,
    left === 0 ? '' : `\n${paint(io, 'dim', note)}\n`,
  ].join('');
}

function seen(probe: Status['probes'][number]): string {
  if (probe.state === 'unconfigured') return `set ${probe.unset.join(', ')}`;
  if (probe.verdict === undefined) return '';
  if (probe.verdict === 'pass') return probe.stale ? 'ok (out of date)' : 'ok';
  return plain(`${probe.reason}: ${probe.summary}`) + (probe.stale ? ' (out of date)' : '');
}

function shade(io: CliIo, state: State, text: string): string {
  const color = COLORS[state];
  return color === undefined ? paint(io, 'dim', text) : paint(io, color, text);
}
