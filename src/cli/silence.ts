/** `brainstem silence`: keeps alerts from people for a while; list, expire. */
import { parseMatchers } from '../engine/silence.ts';
import { doubtsAbout, type Nameable } from '../engine/silence-doubts.ts';
import type { Answer, Client } from './client.ts';
import type { CliIo } from './io.ts';
import { json, plain, since, table } from './print.ts';

type Silence = Answer<'silence'>;

export interface SilenceArguments {
  readonly matchers: readonly string[];
  readonly for: string;
  readonly comment: string;
  /** Absent: who asks. */
  readonly author?: string;
  readonly json: boolean;
}

/** Exit code 0, also when it matches nothing now, which is said. Errors: RefusedError with what is wrong with a matcher. */
export async function addSilence(
  client: Client,
  { json: asJson, ...asked }: SilenceArguments,
  io: CliIo,
): Promise<number> {
  const silence = await client.post<Silence>('/api/v1/silences', asked);
  const { id, matchers, ends_at, incidents } = silence;
  const open = incidents.length === 0 ? 'no open incident' : incidents.map((incident) => `#${incident}`).join(', ');
  if (asJson) io.out(json(silence));
  else io.out(`silence ${id}: ${plain(matchers.join(', '))} until ${minute(ends_at)} UTC; now: ${open}\n`);
  if (incidents.length === 0) await tellDoubts(client, silence, io);
  return 0;
}

/** On standard error: whoever silences a deploy hears at once that it will be loud. */
async function tellDoubts(client: Client, { id, matchers }: Silence, io: CliIo): Promise<void> {
  const { probes } = await client.get<{ probes: readonly Nameable[] }>('/api/v1/probes');
  for (const doubt of doubtsAbout(parseMatchers(matchers), probes))
    io.err(`silence ${id} may be a slip: ${plain(doubt)}; \`brainstem silence expire ${id}\` ends it\n`);
}

/** Exit code 0. */
export async function listSilences(
  client: Client,
  { all, json: asJson }: { readonly all: boolean; readonly json: boolean },
  io: CliIo,
): Promise<number> {
  const { silences } = await client.get<{ silences: Silence[] }>(`/api/v1/silences?limit=500${all ? '&all=true' : ''}`);
  if (asJson) io.out(json(silences));
  else if (silences.length === 0) io.out(all ? 'there has been no silence\n' : 'nothing is silenced\n');
  else io.out(table(io, ['silence', 'state', 'about', 'from', 'until', 'by', 'why', 'incidents'], silences.map(row)));
  return 0;
}

function row({ id, state, matchers, starts_at, ends_at, expired_at, author, comment, incidents }: Silence): string[] {
  const names = incidents.map((incident) => `#${incident}`).join(', ');
  const times = [minute(starts_at), minute(expired_at ?? ends_at)];
  return [String(id), state, plain(matchers.join(', ')), ...times, plain(author), plain(comment), names];
}

/** Exit code 0. Errors: RefusedError when there is none, or it is over. */
export async function expireSilence(client: Client, { id }: { readonly id: number }, io: CliIo): Promise<number> {
  const { starts_at, expired_at } = await client.post<Silence>(`/api/v1/silences/${id}/expire`, {});
  io.out(`silence ${id} is over after ${since(starts_at, expired_at ?? starts_at)}; what is still open is told now\n`);
  return 0;
}

function minute(at: string): string {
  return at.slice(0, 16).replace('T', ' ');
}
