/** Action type `supervisor`: restart, start or stop a program of supervisord, or read its log. */
import { unescape as decodePercents } from 'node:querystring';
import { z } from 'zod';
import { AppError, codeOf, messageOf } from '../errors.ts';
import type { Intervention, Resource } from '../model.ts';
import type { ActionOutput, ActionType } from '../ports.ts';
import {
  describeAddress,
  FAULTS,
  interventionOf,
  parseAddress,
  plainAddress,
  programName,
  readInfo,
  type SupervisorAddress,
  supervisorUrl,
} from '../shared/supervisor-program.ts';
import type { XmlRpcAnswer } from '../shared/xml-rpc.ts';
import { secret } from '../spec.ts';
import { callSupervisor, type Supervisor } from './supervisor-call.ts';

const VERBS = ['restart', 'start', 'stop', 'logs'] as const;
/** What ends with a program that runs, whoever stopped it before. */
const BRING_UP: readonly string[] = ['restart', 'start'];

const target = z.union([programName(), z.strictObject({ from: z.literal('probe') })]);
const on = (summary: string) => target.optional().meta({ description: `${summary}: a program, or { from: probe }` });

const spec = z
  .strictObject({
    restart: on('Stop it if it runs, and start it'),
    start: on('Start it'),
    stop: on('Stop it'),
    logs: on('Read the end of what it printed; changes nothing'),
    url: supervisorUrl().optional(),
    user: z.string().min(1).optional().describe('User name, where supervisord wants one'),
    password: secret().optional().describe('Password of the user'),
  })
  .superRefine((written, context) => {
    const verbs = VERBS.filter((verb) => written[verb] !== undefined);
    const issue = (message: string, path: string[] = []) => context.addIssue({ code: 'custom', path, message });
    if (verbs.length !== 1) issue(`needs exactly one of ${VERBS.join(', ')}`);
    else if (written.url === undefined && typeof written[verbs[0] ?? 'logs'] === 'string')
      issue('needs url: only a target { from: probe } brings its own');
    if ((written.user === undefined) !== (written.password === undefined)) issue('user and password belong together');
  });
type SupervisorSpec = z.output<typeof spec>;

export const supervisor: ActionType<typeof spec> = {
  name: 'supervisor',
  summary: 'Restarts, starts or stops a program of supervisord, or reads its log',
  spec,
  mainOption: 'restart',
  example: 'name: restart-worker\nsupervisor: { restart: worker, url: "http://127.0.0.1:9001" }',
  resource(spec, _remediation, observed) {
    const program = resolve(spec, observed);
    return program && `program:${program.name}@${describeAddress(program.url)}`;
  },
  async intervention(spec, observed, context) {
    const program = resolve(spec, observed);
    if (!program || !BRING_UP.includes(verbOf(spec))) return undefined;
    // The probe that asks has looked at it itself.
    if (observed?.name === program.name && observed.at === plainAddress(program.url)) return undefined;
    return handOn(program, context.signal);
  },
  would(spec, observed) {
    const name = resolve(spec, observed)?.name ?? 'the one that the probe observes';
    const verb = verbOf(spec);
    return verb === 'logs' ? `read the log of program ${name}` : `${verb} program ${name}`;
  },
  readsOnly: (spec) => spec.logs !== undefined,
  fromProbe: (spec) => typeof spec[verbOf(spec)] === 'object',
  async run(spec, { resource }, { signal }) {
    const program = resolve(spec, resource);
    if (!program) return { done: false, error: 'the probe observed no program to act on' };
    try {
      return await act(verbOf(spec), program, signal);
    } catch (error) {
      return { done: false, error: explain(error, program, signal) };
    }
  },
};

interface Program extends Supervisor {
  readonly name: string;
  readonly url: string;
}

function verbOf(spec: SupervisorSpec): (typeof VERBS)[number] {
  return VERBS.find((verb) => spec[verb] !== undefined) ?? 'logs';
}

/** The one program meant, and where: the one written, or the one that the probe observed. */
function resolve(spec: SupervisorSpec, observed: Resource | undefined): Program | undefined {
  const { user, password } = spec;
  const written = spec[verbOf(spec)];
  const isObserved = typeof written === 'object' && observed?.kind === 'program';
  const name = isObserved ? observed.name : written;
  const url = (isObserved ? observed.at : undefined) ?? spec.url;
  const address = url === undefined ? undefined : parseAddress(url);
  if (typeof name !== 'string' || name === '' || url === undefined || !address) return undefined;
  return { name, url, address, ...credentialsOf(address, user, password) };
}

/** Those of the spec; else those in its URL. */
function credentialsOf(address: SupervisorAddress, user: string | undefined, password: string | undefined) {
  if (user !== undefined || address.kind === 'unix' || address.url.username === '') return { user, password };
  return { user: decodePercents(address.url.username), password: decodePercents(address.url.password) };
}

/** A supervisord that cannot be asked cannot act either, and the act will say so. */
async function handOn(program: Program, signal: AbortSignal): Promise<Intervention | undefined> {
  try {
    const answer = await callSupervisor(program, 'getProcessInfo', [program.name], signal);
    const info = answer.kind === 'answer' ? readInfo(answer.value) : undefined;
    return info && interventionOf(program.name, info);
  } catch (error) {
    if (!isOutside(error, signal)) throw error;
    return undefined;
  }
}

async function act(verb: (typeof VERBS)[number], program: Program, signal: AbortSignal): Promise<ActionOutput> {
  if (verb === 'logs') return readLog(program, signal);
  const ask = (method: string) => callSupervisor(program, method, [program.name, true], signal);
  if (verb !== 'start') {
    const no = refusalOf(await ask('stopProcess'), FAULTS.NOT_RUNNING);
    if (no !== undefined) return { done: false, error: `${program.name} was not stopped: ${no}` };
  }
  if (verb === 'stop') return { done: true };
  const no = refusalOf(await ask('startProcess'), FAULTS.ALREADY_STARTED);
  return no === undefined ? { done: true } : { done: false, error: `${program.name} was not started: ${no}` };
}

/** undefined: it was done, or was so already. */
function refusalOf(answer: XmlRpcAnswer, already: number): string | undefined {
  return answer.kind === 'fault' && answer.code !== already ? answer.text.slice(0, 500) : undefined;
}

const LOG_BYTES = 16_384;

async function readLog(program: Program, signal: AbortSignal): Promise<ActionOutput> {
  const answer = await callSupervisor(program, 'readProcessStdoutLog', [program.name, -LOG_BYTES, 0], signal);
  if (answer.kind === 'fault') return { done: false, error: `its log cannot be read: ${answer.text.slice(0, 500)}` };
  return { done: true, output: String(answer.value) };
}

/** Not a bug of ours. */
function isOutside(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted || error instanceof AppError || codeOf(error) !== undefined;
}

function explain(error: unknown, { url }: Program, signal: AbortSignal): string {
  if (signal.aborted) return 'the deadline passed before supervisord had answered; it may still do what was asked';
  if (error instanceof AppError) return error.message;
  if (!isOutside(error, signal)) throw new AppError('supervisor_action', messageOf(error), { cause: error });
  return `supervisord at ${describeAddress(url)} did not answer: ${messageOf(error)}`;
}
