/** Action type `celery`: restarts the pools of workers, or ends tasks that run too long. Queues are never purged. */
import { z } from 'zod';
import type { ActionOutput, ActionType, Context } from '../ports.ts';
import { duration } from '../spec.ts';
import { formatDuration } from '../units.ts';
import { type Heard, tellWorkers } from './celery-control.ts';
import { type Ask, RedisFailure, redisServerOf, redisUrl, withRedis } from './redis-client.ts';

const worker = z.string().regex(/^[^\s*]+$/, 'is not the name of one worker, such as celery@host');

const revoke = z.strictObject({
  running_longer_than: duration()
    .refine((ms) => ms >= 1_000, 'must be at least 1s')
    .describe('Tasks that have run for so long'),
  task: z.string().min(1).optional().describe('Of this name alone, such as shop.tasks.export'),
  at_most: z.number().int().min(1).max(1_000).default(10).describe('So many, the longest first'),
});

const spec = z
  .strictObject({
    broker: redisUrl(),
    restart_pool: z
      .union([z.literal('all'), z.array(worker).min(1)])
      .optional()
      .describe('Restart the pools of these workers, or of all; they need worker_pool_restarts = True'),
    revoke: revoke.optional().describe('End tasks that run too long: their processes get SIGTERM'),
    wait: duration().prefault('2s').describe('How long to wait for answers of workers'),
  })
  .refine(({ restart_pool, revoke }) => (restart_pool === undefined) !== (revoke === undefined), {
    message: 'needs exactly one of restart_pool and revoke',
  });
type CelerySpec = z.output<typeof spec>;

export const celery: ActionType<typeof spec> = {
  name: 'celery',
  summary: 'Restarts the pools of Celery workers, or ends tasks that run too long; never purges a queue',
  spec,
  mainOption: 'broker',
  example: [
    'name: end-stuck-exports',
    'celery:',
    '  broker: "redis://127.0.0.1:6379/0"',
    '  revoke: { running_longer_than: 30m, task: shop.tasks.export }',
    'cooldown: 10m',
  ].join('\n'),
  resource: ({ broker }) => `celery:${redisServerOf(broker).authority}`,
  would: describe,
  readsOnly: () => false,
  fromProbe: () => false,
  async run(spec, _input, context) {
    const server = redisServerOf(spec.broker);
    try {
      return await withRedis(server, context.signal, (ask) => act(spec, server.database, ask, context));
    } catch (error) {
      if (!(error instanceof RedisFailure)) throw error;
      return { done: false, error: error.message };
    }
  },
};

function describe({ broker, restart_pool, revoke }: CelerySpec): string {
  const where = `on ${redisServerOf(broker).authority}`;
  if (!revoke) {
    const whom = restart_pool === 'all' ? 'all workers' : restart_pool?.join(', ');
    return `restart the pool of ${whom} ${where}`;
  }
  const { at_most, task, running_longer_than } = revoke;
  return `end at most ${at_most} tasks${task === undefined ? '' : ` ${task}`} that run longer than ${formatDuration(running_longer_than)} ${where}`;
}

async function act(spec: CelerySpec, database: number, ask: Ask, { clock }: Context): Promise<ActionOutput> {
  const tell = (method: string, args: Readonly<Record<string, unknown>>, destination?: readonly string[]) =>
    tellWorkers(ask, database, { method, arguments: args, ...(destination && { destination }) }, spec.wait, clock);
  if (!spec.revoke) {
    const destination = spec.restart_pool === 'all' ? undefined : spec.restart_pool;
    const heard = await tell('pool_restart', { modules: null, reload: false, reloader: null }, destination);
    return outcomeOf(heard, destination);
  }
  const active = await tell('active', {});
  if (active.answers.size === 0) return { done: false, error: silence(active) };
  const late = tasksIn(active, spec.revoke, clock.now());
  if (late.length === 0) return { done: false, error: 'no task runs that long' };
  const workers = [...new Set(late.map((task) => task.worker))];
  const args = { task_id: late.map(({ id }) => id), terminate: true, signal: 'SIGTERM' };
  const outcome = outcomeOf(await tell('revoke', args, workers), workers);
  return { ...outcome, output: [...late.map(line), outcome.output ?? ''].join('\n').trim() };
}

interface Task {
  readonly id: string;
  readonly name: string;
  readonly worker: string;
  readonly runsMs: number;
}

/** What `inspect active` tells: https://docs.celeryq.dev/en/stable/userguide/workers.html#dump-of-currently-executing-tasks */
const TASKS = z.array(z.object({ id: z.string(), name: z.string(), time_start: z.number().nullish() }));

/** The longest first. */
function tasksIn({ answers }: Heard, rule: z.output<typeof revoke>, now: number): readonly Task[] {
  const tasks = [...answers].flatMap(([worker, answer]) =>
    (TASKS.safeParse(answer).data ?? []).map(({ id, name, time_start }) => ({
      ...{ id, name, worker },
      runsMs: time_start ? now - time_start * 1_000 : 0,
    })),
  );
  return tasks
    .filter(({ name, runsMs }) => runsMs >= rule.running_longer_than && (rule.task === undefined || name === rule.task))
    .sort((one, other) => other.runsMs - one.runsMs)
    .slice(0, rule.at_most);
}

function line({ id, name, worker, runsMs }: Task): string {
  return `${name} (${id}) on ${worker}, running for ${Math.round(runsMs / 1_000)} s`;
}

const SAID = z.object({ ok: z.unknown(), error: z.unknown() }).partial();

/** Done when everybody who was asked said yes. */
function outcomeOf(heard: Heard, destination: readonly string[] | undefined): ActionOutput {
  const { answers } = heard;
  if (answers.size === 0) return { done: false, error: silence(heard) };
  const said = [...answers].map(([name, answer]) => ({ name, ...SAID.safeParse(answer).data }));
  const output = said.map(({ name, ok, error }) => `${name}: ${String(ok ?? error)}`).join('\n');
  const missing = destination?.filter((name) => !answers.has(name)) ?? [];
  const refused = said.filter(({ ok }) => ok === undefined).map(({ name }) => name);
  if (missing.length + refused.length === 0) return { done: true, output };
  const words = [...refused.map((name) => `${name} refused`), ...missing.map((name) => `${name} did not answer`)];
  return { done: false, output, error: words.slice(0, 10).join(', ') };
}

function silence({ listening }: Heard): string {
  return listening === 0 ? 'no worker listens' : `none of ${listening} workers answered`;
}
