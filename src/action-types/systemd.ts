/** Action type `systemd`: restart, start, stop or reload a unit, or read its status. */
import { z } from 'zod';
import type { Intervention, Resource } from '../model.ts';
import type { ActionInput, ActionOutput, ActionType, Context } from '../ports.ts';
import type { ChildResult } from '../shared/child-process.ts';
import {
  callSystemctl,
  describeManager,
  type Manager,
  managerFault,
  managerOptions,
  parseManager,
  unitName,
} from '../shared/systemd-manager.ts';
import { interventionOf, showUnit } from '../shared/systemd-unit.ts';

const VERBS = ['restart', 'start', 'stop', 'reload', 'status'] as const;
/** What ends with a unit that runs, whoever stopped it before. */
const BRING_UP: readonly string[] = ['restart', 'start'];

const target = z.union([unitName(), z.strictObject({ from: z.literal('probe') })]);
const on = (summary: string) => target.optional().meta({ description: `${summary}: a unit, or { from: probe }` });

const spec = z
  .strictObject({
    restart: on('Stop it and start it; one that systemd gave up is started too'),
    start: on('Start it; one that systemd gave up is started too'),
    stop: on('Stop it'),
    reload: on('Have it read its configuration again'),
    status: on('Read its state and its last lines; changes nothing'),
    lines: z.number().int().min(1).max(1_000).optional().describe('status: lines of its log. Default: 50'),
    ...managerOptions(),
  })
  .superRefine((written, context) => {
    const verbs = VERBS.filter((verb) => written[verb] !== undefined);
    if (verbs.length !== 1) context.addIssue({ code: 'custom', message: `needs exactly one of ${VERBS.join(', ')}` });
    else if (written.lines !== undefined && written.status === undefined)
      context.addIssue({ code: 'custom', path: ['lines'], message: 'goes with status only' });
  });
type SystemdSpec = z.output<typeof spec>;

const STATUS_LINES = 50;

export const systemd: ActionType<typeof spec> = {
  name: 'systemd',
  summary: 'Restarts, starts, stops or reloads a unit of systemd, or reads its status',
  spec,
  mainOption: 'restart',
  example: 'name: restart-web\nsystemd: { restart: web }\nevidence: [{ systemd: { status: web } }]',
  gated: true,
  resource(spec, _remediation, observed) {
    const unit = resolve(spec, observed);
    return unit && lockOf(unit);
  },
  async intervention(spec, observed, context) {
    const unit = resolve(spec, observed);
    if (!unit || !BRING_UP.includes(verbOf(spec)) || isSame(unit, observed)) return undefined;
    return handOn(unit, context);
  },
  would(spec, observed) {
    const name = resolve(spec, observed)?.name ?? 'the one that the probe observes';
    const verb = verbOf(spec);
    return verb === 'status' ? `read the status of unit ${name}` : `${verb} unit ${name}`;
  },
  readsOnly: (spec) => spec.status !== undefined,
  fromProbe: (spec) => typeof spec[verbOf(spec)] === 'object',
  async run(spec, input, context) {
    const unit = resolve(spec, input.resource);
    if (!unit) return { done: false, error: 'the probe observed no unit to act on' };
    return spec.status === undefined ? act(spec, unit, input, context) : readStatus(spec, unit, input, context);
  },
};

interface Unit {
  readonly name: string;
  readonly manager: Manager;
}

function verbOf(spec: SystemdSpec): (typeof VERBS)[number] {
  return VERBS.find((verb) => spec[verb] !== undefined) ?? 'status';
}

/** The one unit meant, and whose: the one written, or the one that the probe observed. */
function resolve(spec: SystemdSpec, observed: Resource | undefined): Unit | undefined {
  const written = spec[verbOf(spec)];
  if (typeof written === 'string') return { name: written, manager: spec };
  if (written === undefined || observed?.kind !== 'unit' || observed.name === '') return undefined;
  return { name: observed.name, manager: observed.at === undefined ? spec : parseManager(observed.at) };
}

/** The manager that everybody has needs no mention. */
function lockOf({ name, manager }: Unit): string {
  const where = describeManager(manager);
  return `unit:${name}${where && `@${where}`}`;
}

/** The probe that asks has looked at this unit itself. */
function isSame(unit: Unit, observed: Resource | undefined): boolean {
  if (observed?.kind !== 'unit' || observed.at === undefined) return false;
  return lockOf({ name: observed.name, manager: parseManager(observed.at) }) === lockOf(unit);
}

/** A systemd that cannot be asked cannot act either, and the act will say so. */
async function handOn({ name, manager }: Unit, context: Context): Promise<Intervention | undefined> {
  const shown = await showUnit(manager, name, { folder: '.', context });
  return shown.kind === 'unit' ? interventionOf(shown.unit, context.clock.now()) : undefined;
}

async function act(spec: SystemdSpec, unit: Unit, input: ActionInput, context: Context): Promise<ActionOutput> {
  const verb = verbOf(spec);
  const call = { folder: input.folder, context, onStart: input.onChild };
  if (BRING_UP.includes(verb)) {
    // A unit that was restarted too often is not started again before its failures are forgotten. It need not have any.
    const forgotten = await callSystemctl(unit.manager, ['reset-failed', '--', unit.name], call);
    if (forgotten.kind !== 'exited') return failed(forgotten);
  }
  const result = await callSystemctl(unit.manager, [verb, '--', unit.name], call);
  if (result.kind !== 'exited' || result.exitCode !== 0) return failed(result);
  return { done: true, exitCode: 0, output: outputOf(result) };
}

function failed(result: ChildResult): ActionOutput {
  if (result.kind === 'killed') {
    const error = 'the deadline passed before systemd had finished; it may still do what was asked';
    return { done: false, output: outputOf(result), error };
  }
  if (result.kind === 'not_started') return { done: false, error: result.error };
  const { exitCode } = result;
  return { done: false, exitCode, output: outputOf(result), error: `systemctl exited with code ${exitCode}` };
}

function outputOf(result: Exclude<ChildResult, { kind: 'not_started' }>): string {
  return `${result.stdout.text}${result.stderr.text}`.trim();
}

/** Of a unit that does not run it exits with 3, of one that is not there with 4: it has told its status all the same. */
const TOLD: readonly number[] = [0, 1, 2, 3, 4];

async function readStatus(spec: SystemdSpec, unit: Unit, { folder }: ActionInput, context: Context) {
  const args = ['status', '--full', `--lines=${spec.lines ?? STATUS_LINES}`, '--', unit.name];
  const result = await callSystemctl(unit.manager, args, { folder, context });
  if (result.kind === 'exited' && TOLD.includes(result.exitCode)) return { done: true, output: outputOf(result) };
  return { done: false, error: managerFault(result)?.error ?? 'systemd did not tell the status' };
}
