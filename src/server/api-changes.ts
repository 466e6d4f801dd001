/** The part of the API through which people change things. */
import { z } from 'zod';
import { incidentParams, nameParams } from './api-reads.ts';
import { attemptJson, freezeJson, incidentJson, planJson } from './json.ts';
import { type ApiRoute, post } from './route.ts';
import * as schemas from './schemas.ts';

export const changes: readonly ApiRoute[] = [
  post({
    path: '/api/v1/incidents/:id/ack',
    summary: 'Acknowledge: no reminders and no automatic fixes until it is resolved',
    params: incidentParams,
    response: schemas.incident,
    answer: async ({ params, by }, { commands }) => incidentJson(await commands.acknowledge(params.id, by)),
  }),
  post({
    path: '/api/v1/incidents/:id/resolve',
    summary: 'Resolve by hand; `force` when the probe still fails',
    params: incidentParams,
    body: z.strictObject({ force: z.boolean().default(false) }),
    response: schemas.incident,
    answer: async ({ params, body, by }, { commands }) =>
      incidentJson(await commands.resolve(params.id, by, body.force)),
  }),
  post({
    path: '/api/v1/incidents/:id/comment',
    summary: 'Add a comment to the timeline',
    params: incidentParams,
    body: z.strictObject({ text: z.string().trim().min(1).max(4_000) }),
    response: z.strictObject({ ok: z.literal(true) }),
    async answer({ params, body, by }, { commands }) {
      await commands.comment(params.id, by, body.text);
      return { ok: true as const };
    },
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
