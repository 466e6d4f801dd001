/** `brainstem remediate`: runs a fix by hand, under the same locks and limits, and says whether the probe recovered. */
import { formatDuration } from '../units.ts';
import type { Answer, Client } from './client.ts';
import type { CliIo } from './io.ts';
import { json, paint, plain, plainLines } from './print.ts';

export interface RemediateArguments {
  readonly remediation: string;
  readonly probe: string;
  readonly dryRun: boolean;
  readonly json: boolean;
}

type Outcome = Answer<'remediateOutcome'>;

/** An unknown name and a refusal are answered sooner, and nobody is told to wait for them. */
const PATIENCE_MS = 300;

/** Exit code: 0 healed, or a dry run that may go; 1 otherwise. Errors: RefusedError for unknown names. */
export async function remediate(client: Client, given: RemediateArguments, io: CliIo): Promise<number> {
  const { remediation, probe, dryRun } = given;
  const path = `/api/v1/remediations/${encodeURIComponent(remediation)}/run`;
  const patience = setTimeout(() => {
    if (!given.json) io.err(`${remediation} for ${probe}: waiting until the probe has decided …\n`);
  }, PATIENCE_MS);
  const outcome = await client
    .post<Outcome>(path, { probe, dry_run: dryRun }, { slow: true })
    .finally(() => clearTimeout(patience));
  io.out(given.json ? json(outcome) : told(outcome, dryRun, io));
  return outcome.plan.go && (dryRun || outcome.attempt?.state === 'healed') ? 0 : 1;
}

function told({ plan, attempt, would }: Outcome, dryRun: boolean, io: CliIo): string {
  if (!plan.go) {
    const until = plan.retry_at === undefined ? '' : `; try again after ${plan.retry_at}`;
    return `${paint(io, 'yellow', `refused: ${plan.refusal}`)}, ${plain(plan.detail ?? '')}${until}\nwould: ${plain(would)}\n`;
  }
  if (attempt === undefined || dryRun) return `may run now. would: ${plain(would)}\n`;
  return attemptText(attempt, io);
}

function attemptText(attempt: NonNullable<Outcome['attempt']>, io: CliIo): string {
  const { state, refusal, error, output, intended_at, ended_at } = attempt;
  const took = ended_at === undefined ? '' : ` in ${formatDuration(Date.parse(ended_at) - Date.parse(intended_at))}`;
  const why = [refusal, error === undefined ? undefined : plain(error)].filter((part) => part !== undefined).join(': ');
  const outcome = paint(io, state === 'healed' ? 'green' : 'red', state);
  return `${outcome}${took}${why === '' ? '' : `: ${why}`}\n${output === undefined ? '' : `${plainLines(output).trimEnd()}\n`}`;
}
