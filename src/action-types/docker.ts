/**
 * `docker`: restart, start, stop, kill or recreate a container, run a command in it, read its logs, or prune what the
 * engine no longer needs (never volumes).
 */
import { z } from 'zod';
import { AppError, messageOf } from '../errors.ts';
import type { Intervention, Resource } from '../model.ts';
import type { ActionOutput, ActionType, Context } from '../ports.ts';
import type { Engine } from '../shared/docker-engine.ts';
import {
  containerName,
  DEFAULT_SOCKET,
  describeSocket,
  engineFault,
  engineSocket,
  inspectExactly,
  openEngine,
  withSignal,
} from '../shared/docker-engine.ts';
import { EventMemory } from '../shared/docker-events.ts';
import { interventionOf } from '../shared/docker-hand.ts';
import { inspectContainer, settle } from '../shared/docker-inspect.ts';
import { duration } from '../spec.ts';
import { executeIn, PRUNABLE, prune, readLogs, unlessAlready } from './docker-calls.ts';
import { recreate } from './docker-recreate.ts';

const CONTAINER_VERBS = ['restart', 'start', 'stop', 'kill', 'recreate', 'exec', 'logs'] as const;
/** What ends with a container that runs, whoever stopped it before. */
const BRING_UP = ['restart', 'start', 'recreate'] as const;
const VERBS = [...CONTAINER_VERBS, 'prune'] as const;
type Verb = (typeof VERBS)[number];

/** What an option goes with; anywhere else it is an error. */
const OPTION_OF: Readonly<Record<'argv' | 'signal' | 'timeout' | 'tail' | 'older_than', readonly Verb[]>> = {
  argv: ['exec'],
  signal: ['kill'],
  timeout: ['restart', 'stop', 'recreate'],
  tail: ['logs'],
  older_than: ['prune'],
};

const target = z.union([containerName(), z.strictObject({ from: z.literal('probe') })]);
const on = (summary: string) => target.optional().meta({ description: `${summary}: a name, or { from: probe }` });

const spec = z
  .strictObject({
    restart: on('Stop it, kill it if it does not stop, start it'),
    start: on('Start it'),
    stop: on('Stop it, kill it if it does not stop'),
    kill: on('Send it a signal'),
    recreate: on('Replace it by a new one of the same configuration; pulls nothing'),
    exec: on('Run argv in it'),
    logs: on('Read its last lines; changes nothing'),
    prune: z
      .enum(PRUNABLE)
      .optional()
      .meta({ description: 'Delete untagged images, stopped containers or build cache' }),
    argv: z
      .tuple([z.string().min(1)], z.string())
      .optional()
      .meta({ description: 'exec: the command; no shell' }),
    signal: z
      .string()
      .regex(/^(SIG)?[A-Z][A-Z0-9+-]*$/, 'is not a signal; write SIGKILL or HUP')
      .optional()
      .meta({ description: 'kill: the signal. Default: SIGKILL' }),
    timeout: duration()
      .optional()
      .meta({ description: "Grace before it is killed. Default: 10s; never more than half of the fix's own timeout" }),
    tail: z.number().int().min(1).max(10_000).optional().meta({ description: 'logs: lines. Default: 200' }),
    older_than: duration().optional().meta({ description: 'prune: spare what was created since. Default: 24h' }),
    socket: engineSocket(),
  })
  .superRefine((written, context) => {
    const verbs = VERBS.filter((verb) => written[verb] !== undefined);
    if (verbs.length !== 1) {
      context.addIssue({ code: 'custom', message: `needs exactly one of ${VERBS.join(', ')}` });
      return;
    }
    for (const [option, owners] of Object.entries(OPTION_OF)) {
      if (written[option as keyof typeof OPTION_OF] === undefined) continue;
      if (owners.some((owner) => verbs.includes(owner))) continue;
      context.addIssue({ code: 'custom', path: [option], message: `goes with ${owners.join(', ')} only` });
    }
    if (written.exec !== undefined && written.argv === undefined) {
      context.addIssue({ code: 'custom', path: ['exec'], message: 'needs argv, the command to run' });
    }
  });
type DockerSpec = z.output<typeof spec>;

const GRACE_MS = 10_000;
const TAIL_LINES = 200;
const OLDER_THAN_MS = 24 * 3_600_000;

export const docker: ActionType<typeof spec> = {
  name: 'docker',
  summary:
    'Restarts, starts, stops, kills, recreates a container; runs a command in it, reads its logs; prunes the engine.',
  spec,
  mainOption: 'restart',
  example: 'name: restart-web\ndocker: { restart: web }',
  resource(spec, _remediation, observed) {
    if (spec.prune !== undefined) return `docker-prune:${spec.prune}${suffixOf(spec.socket)}`;
    const container = resolve(spec, observed);
    return container && `container:${container.name}${suffixOf(container.socket)}`;
  },
  async intervention(spec, observed, context) {
    const container = resolve(spec, observed);
    if (!container || !BRING_UP.some((verb) => spec[verb] !== undefined)) return undefined;
    if (observed?.name === container.name && observed.at === container.socket) return undefined;
    try {
      return await handOn(container, context);
    } catch (error) {
      // An engine that cannot be asked cannot act either, and the act will say so.
      if (engineFault(error, container.socket, context.signal)) return undefined;
      throw error;
    }
  },
  would(spec, observed) {
    if (spec.prune !== undefined) return `prune ${spec.prune} of the engine`;
    const verb = CONTAINER_VERBS.find((each) => spec[each] !== undefined);
    const name = resolve(spec, observed)?.name ?? 'the one that the probe observes';
    if (verb === 'exec') return `run ${spec.argv?.join(' ')} in container ${name}`;
    return verb === 'logs' ? `read the logs of container ${name}` : `${verb} container ${name}`;
  },
  readsOnly: (spec) => spec.logs !== undefined,
  fromProbe: (spec) => typeof targetOf(spec) === 'object',
  async run(spec, { resource }, context) {
    const container = resolve(spec, resource);
    const socket = container?.socket ?? spec.socket;
    try {
      if (spec.prune !== undefined) return await pruneEngine(spec, spec.prune, context);
      if (!container) return { done: false, error: 'the probe observed no container to act on' };
      return await act(spec, container.name, await openEngine(socket), context);
    } catch (error) {
      return { done: false, error: explain(error, socket, context.signal) };
    }
  },
};

/** The engine that everybody has needs no mention; `container:web@host:2375` is another lock than `container:web`. */
function suffixOf(socket: string): string {
  return socket === DEFAULT_SOCKET ? '' : `@${describeSocket(socket)}`;
}

function targetOf(spec: DockerSpec): z.output<typeof target> | undefined {
  return CONTAINER_VERBS.map((verb) => spec[verb]).find((written) => written !== undefined);
}

/** The one container meant, and its engine: the one written, or the one that the probe observed. */
function resolve(spec: DockerSpec, observed: Resource | undefined): Container | undefined {
  const written = targetOf(spec);
  if (typeof written === 'string') return { name: written, socket: spec.socket };
  if (written === undefined || observed?.kind !== 'container' || observed.name === '') return undefined;
  return { name: observed.name, socket: observed.at ?? spec.socket };
}

interface Container {
  readonly name: string;
  readonly socket: string;
}

/** Whether a person stopped it, as far as the engine remembers. */
async function handOn({ name, socket }: Container, context: Context): Promise<Intervention | undefined> {
  const engine = await openEngine(socket);
  const first = await inspectContainer(engine, name, context.signal);
  const seen = first && (await settle(first, engine, context));
  return seen && interventionOf(seen, { engine, events: new EventMemory(), context });
}

async function pruneEngine(spec: DockerSpec, what: (typeof PRUNABLE)[number], { signal }: Context) {
  return prune(await openEngine(spec.socket), what, spec.older_than ?? OLDER_THAN_MS, signal);
}

async function act(spec: DockerSpec, name: string, engine: Engine, context: Context): Promise<ActionOutput> {
  const { signal } = context;
  const found = await inspectExactly(engine, name, signal);
  if (!found) return { done: false, error: `there is no container ${name}` };
  if (spec.exec !== undefined) return executeIn(engine, name, spec.argv ?? [], signal);
  if (spec.logs !== undefined) return readLogs(engine, found, spec.tail ?? TAIL_LINES, signal);
  if (spec.recreate !== undefined) {
    const id = await recreate(engine, found, graceOf(spec, context), context);
    return { done: true, output: `${name} is now ${id.slice(0, 12)}` };
  }
  await withSignal(signal, unlessAlready(drive(spec, found.Id, engine, context)));
  return { done: true };
}

/** The four calls that change a container's state and answer nothing. */
function drive(spec: DockerSpec, id: string, engine: Engine, context: Context): Promise<unknown> {
  const container = engine.getContainer(id);
  const abortSignal = context.signal;
  const t = Math.ceil(graceOf(spec, context) / 1_000);
  if (spec.restart !== undefined) return container.restart({ t, abortSignal });
  if (spec.stop !== undefined) return container.stop({ t, abortSignal });
  if (spec.start !== undefined) return container.start({ abortSignal });
  return container.kill({ signal: spec.signal ?? 'SIGKILL', abortSignal });
}

/** Half of the deadline at most, so that a container that ignores its signal is killed and started again within it. */
function graceOf(spec: DockerSpec, { timeoutMs }: Context): number {
  return Math.min(spec.timeout ?? GRACE_MS, timeoutMs / 2);
}

function explain(error: unknown, socket: string, signal: AbortSignal): string {
  if (signal.aborted) return 'the deadline passed before the engine had answered; it may still do what was asked';
  if (error instanceof AppError) return error.message;
  const fault = engineFault(error, socket, signal);
  if (!fault) throw new AppError('docker_action', messageOf(error), { cause: error });
  return fault.error;
}
