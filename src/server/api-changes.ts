/** The part of the API through which people change things. */
import { z } from 'zod';
import { UsageError } from '../errors.ts';
import { duration } from '../spec.ts';
import { idParams, nameParams, time } from './api-reads.ts';
import { attemptJson, freezeJson, incidentJson, planJson, silenceJson } from './json.ts';
import { type ApiRoute, post } from './route.ts';
import * as schemas from './schemas.ts';

/** Matchers are checked by what they name, too: that is the command's part. */
const newSilence = z.strictObject({
  matchers: z
    .array(z.string().trim().min(1).max(500))
    .min(1)
    .max(20)
    .describe('All must hold: `probe=web`, `group=~"web-.*"`, `severity!=info`, `team!~"a|b"`'),
  starts_at: time.optional().describe('By default now'),
  ends_at: time.optional(),
  for: duration().optional().describe('Instead of `ends_at`: how long from its beginning, such as 2h; at most 90d'),
  author: z.string().trim().min(1).max(100).optional().describe('By default who asks'),
  comment: z.string().trim().min(1).max(1_000).describe('Why, for whoever wonders about the quiet'),
});

function endOf(
  { starts_at: startsAt, ends_at: endsAt, for: lastsMs }: z.output<typeof newSilence>,
  now: number,
): number {
  if (lastsMs !== undefined && endsAt === undefined) return (startsAt ?? now) + lastsMs;
  if (endsAt !== undefined && lastsMs === undefined) return endsAt;
  throw new UsageError('silence_end', 'say either until when (`ends_at`) or how long (`for`)');
}

export const changes: readonly ApiRoute[] = [
  post({
    path: '/api/v1/incidents/:id/ack',
    summary: 'Acknowledge: no reminders and no automatic fixes until it is resolved',
    params: idParams,
    response: schemas.incident,
    answer: async ({ params, by }, { commands, views }) =>
      incidentJson(await commands.acknowledge(params.id, by), views),
  }),
  post({
    path: '/api/v1/incidents/:id/resolve',
    summary: 'Resolve by hand; `force` when the probe still fails',
    params: idParams,
    body: z.strictObject({ force: z.boolean().default(false) }),
    response: schemas.incident,
    answer: async ({ params, body, by }, { commands, views }) =>
      incidentJson(await commands.resolve(params.id, by, body.force), views),
  }),
  post({
    path: '/api/v1/incidents/:id/comment',
    summary: 'Add a comment to the timeline',
    params: idParams,
    body: z.strictObject({ text: z.string().trim().min(1).max(4_000) }),
    response: z.strictObject({ ok: z.literal(true) }),
    async answer({ params, body, by }, { commands }) {
      await commands.comment(params.id, by, body.text);
      return { ok: true as const };
    },
  }),
  post({
    path: '/api/v1/silences',
    summary: 'Keep the alerts of matching incidents from people until `ends_at`, or `for` a duration',
    body: newSilence,
    response: schemas.silence,
    async answer({ body, by }, { commands, views, clock }) {
      const { matchers, comment, starts_at: startsAt, author = by } = body;
      const asked = { matchers, comment, author, by, endsAt: endOf(body, clock.now()) };
      const silence = await commands.silence({ ...asked, ...(startsAt !== undefined && { startsAt }) });
      return silenceJson(silence, views, clock.now());
    },
  }),
  post({
    path: '/api/v1/silences/:id/expire',
    summary: 'End a silence now: what it kept back is told if it still holds',
    params: idParams,
    response: schemas.silence,
    answer: async ({ params, by }, { commands, views, clock }) =>
      silenceJson(await commands.expireSilence(params.id, by), views, clock.now()),
  }),
  post({
    path: '/api/v1/freeze',
    summary: 'Stop all healing, until unfreeze',
    body: z.strictObject({ why: z.string().trim().max(500).default('') }),
    response: schemas.freeze,
    answer: async ({ body, by }, { commands }) => freezeJson(await commands.freeze(by, body.why)),
  }),
  post({
    path: '/api/v1/unfreeze',
    summary: 'Let healing go on',
    response: z.strictObject({ frozen: z.boolean().describe('True: the freeze file still holds everything back') }),
    answer: async ({ by }, { commands }) => ({ frozen: !(await commands.unfreeze(by)) }),
  }),
  post({
    path: '/api/v1/remediations/:name/arm',
    summary: 'Arm a remediation that has disarmed itself',
    params: nameParams,
    response: z.strictObject({ changed: z.boolean().describe('False: it was armed already') }),
    answer: async ({ params, by }, { commands }) => ({ changed: await commands.arm(params.name, by) }),
  }),
  post({
    path: '/api/v1/remediations/:name/run',
    summary: 'Run a fix by hand under the same locks and limits; answers when it is verified',
    slow: true,
    params: nameParams,
    body: z.strictObject({ probe: z.string().min(1).max(200), dry_run: z.boolean().default(false) }),
    response: schemas.remediateOutcome,
    async answer({ params, body, by }, { commands }) {
      const request = { remediation: params.name, probe: body.probe, by, dryRun: body.dry_run };
      const { plan, attempt, would } = await commands.remediate(request);
      return { plan: planJson(plan), attempt: attempt && attemptJson(attempt), would };
    },
  }),
];
