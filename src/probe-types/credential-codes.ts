/** How providers tell their errors apart, and other ways of theirs that take more than a line. */
import { z } from 'zod';
import type { Answer } from './credential-answer.ts';
import { textAt } from './credential-reading.ts';

/** `2027-03-31 00:00:00 UTC`, or with an offset such as `+0900`. */
export function githubTime(header: string | string[] | undefined): number | undefined {
  const at = Date.parse(String(header).replace(' ', 'T').replace(' UTC', 'Z').replace(' ', ''));
  return Number.isFinite(at) ? at : undefined;
}

export function githubCode(answer: Answer): string | undefined {
  if (answer.status !== 403 && answer.status !== 429) return undefined;
  if (answer.headers['x-ratelimit-remaining'] === '0') return 'rate_limit_exceeded';
  if (answer.headers['retry-after'] !== undefined) return 'secondary_rate_limit';
  return textAt(answer, 'message')?.startsWith('Resource not accessible') ? 'not_accessible' : undefined;
}

/** What a level of a scope stands for besides itself. */
const GITHUB_LEVELS: ReadonlyMap<string, readonly string[]> = new Map([
  ['admin', ['write', 'read', 'manage_runners']],
  ['write', ['read']],
]);

/** `repo` stands for `repo:status`, `admin:org` for `write:org` and `read:org`: GitHub lists the widest alone. */
export function githubCovers(granted: string, wanted: string): boolean {
  const [level, what] = granted.split(':');
  const [wantedLevel = '', wantedWhat] = wanted.split(':');
  if (wantedWhat !== undefined && what === wantedWhat && level !== undefined) {
    return GITHUB_LEVELS.get(level)?.includes(wantedLevel) ?? false;
  }
  if (granted === 'repo')
    return ['public_repo', 'repo_deployment', 'security_events'].includes(wanted) || wantedLevel === 'repo';
  return what === undefined && (wantedLevel === granted || wanted === `read:${granted}`);
}

/** By reason where there is one: `API_KEY_INVALID` is a mere `INVALID_ARGUMENT` otherwise. */
const googleError = z.object({
  error: z.object({
    status: z.string().optional(),
    details: z.array(z.object({ reason: z.string().optional() })).optional(),
  }),
});
export function googleCode({ json }: Answer): string | undefined {
  const error = googleError.safeParse(json).data?.error;
  return error?.details?.find(({ reason }) => reason !== undefined)?.reason ?? error?.status;
}

/** A restricted key that may not list models is good, though the status is that of a bad one. */
export function openaiCode(answer: Answer): string | undefined {
  if (textAt(answer, 'error', 'message')?.includes('Missing scopes')) return 'missing_scopes';
  return textAt(answer, 'error', 'code') ?? textAt(answer, 'error', 'type');
}

const vercelError = z.object({ error: z.object({ invalidToken: z.literal(true) }) });
export function vercelCode(answer: Answer): string | undefined {
  if (vercelError.safeParse(answer.json).success) return 'invalid_token';
  if (textAt(answer, 'error', 'message')?.startsWith("You don't have permission")) return 'no_permission';
  return textAt(answer, 'error', 'code');
}
