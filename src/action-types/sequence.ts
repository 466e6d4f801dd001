/**
 * Action type `sequence`: several actions one after the other, up to the first that fails. What it acts on is locked all at
 * once before the first of them; an interrupted one is verified, and never continued in the middle.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Resource } from '../model.ts';
import type { ActionInput, ActionOutput, ActionType, ActionTypes, Context } from '../ports.ts';
import { duration } from '../spec.ts';
import { formatDuration } from '../units.ts';

/** An action under its type's name, or what a sequence has of its own. */
type Step =
  | { readonly kind: 'wait'; readonly waitMs: number }
  | { readonly kind: 'notify'; readonly text: string }
  | { readonly kind: 'action'; readonly type: ActionType; readonly spec: unknown };
type ActionStep = Extract<Step, { kind: 'action' }>;

/** @param types what may be a step; a sequence is none. */
export function createSequence(types: ActionTypes): ActionType<ReturnType<typeof specOf>> {
  const spec = specOf(types);
  const stepsOf = ({ steps }: z.output<typeof spec>) => steps.map((written) => readStep(written, types));
  const actionsOf = (spec: Parameters<typeof stepsOf>[0]) => stepsOf(spec).filter((step) => step.kind === 'action');
  return {
    name: 'sequence',
    summary: 'Several actions one after the other, up to the first that fails',
    spec,
    mainOption: 'steps',
    example: EXAMPLE,
    resource: (spec, remediation, observed) => resourcesOf(actionsOf(spec), remediation, observed)?.[0],
    alsoLocks: (spec, remediation, observed) => resourcesOf(actionsOf(spec), remediation, observed)?.slice(1) ?? [],
    would: (spec, observed) =>
      stepsOf(spec)
        .map((step, index) => `${index + 1}. ${wordsOf(step, observed)}`)
        .join('; '),
    async intervention(spec, observed, context) {
      for (const step of actionsOf(spec)) {
        const hand = await step.type.intervention?.(step.spec, observed, context);
        if (hand) return hand;
      }
      return undefined;
    },
    readsOnly: (spec) =>
      stepsOf(spec).every((step) => (step.kind === 'action' ? step.type.readsOnly(step.spec) : step.kind === 'wait')),
    fromProbe: (spec) => actionsOf(spec).some((step) => step.type.fromProbe(step.spec)),
    run: (spec, input, context) => runAll(stepsOf(spec), input, context),
  };
}

const EXAMPLE = [
  'name: restart-in-order',
  'sequence:',
  '  steps:',
  '    - docker: { stop: web }',
  '    - docker: { restart: database }',
  '    - wait: 5s',
  '    - notify: the database is back, the application follows',
  '    - docker: { start: web }',
  'timeout: 3m',
].join('\n');

const MAX_STEPS = 20;

function specOf(types: ActionTypes) {
  const actions = Object.entries(types).map(([name, { spec, summary }]) => [name, spec.optional().describe(summary)]);
  const step = z
    .strictObject({
      wait: duration().optional().describe('Let this time pass'),
      notify: z.string().min(1).max(500).optional().describe('Tell people who were paged how far it is'),
      ...(Object.fromEntries(actions) as Readonly<Record<string, z.ZodType>>),
    })
    .superRefine((written, context) => {
      const names = ['wait', 'notify', ...Object.keys(types)];
      if (Object.keys(written).length === 1) return;
      context.addIssue({ code: 'custom', message: `needs exactly one of ${names.join(', ')}` });
    });
  const steps = z
    .array(step)
    .min(1)
    .max(MAX_STEPS)
    .refine(
      (all) => all.some((one) => Object.keys(one).some((key) => Object.hasOwn(types, key))),
      'needs a step that acts',
    )
    .describe('An action type with its options each, or wait, or notify');
  return z.strictObject({ steps });
}

function readStep(written: Readonly<Record<string, unknown>>, types: ActionTypes): Step {
  const [name = '', spec] = Object.entries(written)[0] ?? [];
  const type = types[name];
  if (type !== undefined) return { kind: 'action', type, spec };
  return name === 'wait' ? { kind: 'wait', waitMs: Number(spec) } : { kind: 'notify', text: String(spec) };
}

/** Each once, in the order of the steps; undefined: one of them does not resolve, so that none must begin. */
function resourcesOf(
  steps: readonly ActionStep[],
  remediation: string,
  observed: Resource | undefined,
): readonly string[] | undefined {
  const all = steps.map(({ type, spec }) => type.resource(spec, remediation, observed));
  const resolved = all.filter((resource) => resource !== undefined);
  return resolved.length === all.length ? [...new Set(resolved)] : undefined;
}

function wordsOf(step: Step, observed: Resource | undefined): string {
  if (step.kind === 'wait') return `wait ${formatDuration(step.waitMs)}`;
  return step.kind === 'notify' ? `tell people "${step.text}"` : step.type.would(step.spec, observed);
}

/** Of all steps together; the runner keeps as much. */
const OUTPUT_CHARS = 120_000;

async function runAll(steps: readonly Step[], input: ActionInput, context: Context): Promise<ActionOutput> {
  const until = context.clock.monotonic() + context.timeoutMs;
  const said: string[] = [];
  let exitCode: number | undefined;
  for (const [index, step] of steps.entries()) {
    const left = { ...context, timeoutMs: Math.max(0, until - context.clock.monotonic()) };
    const name = `step ${index + 1} (${step.kind === 'action' ? step.type.name : step.kind})`;
    const result = await runStep(step, input, left);
    exitCode = result.exitCode ?? exitCode;
    said.push(`${name}: ${result.done ? 'done' : 'failed'}`);
    if (result.output) said.push(result.output.trimEnd().slice(-Math.floor(OUTPUT_CHARS / steps.length)));
    if (!result.done) return { ...ended(said, exitCode), done: false, error: `${name}: ${whyNot(result)}` };
  }
  return { ...ended(said, exitCode), done: true };
}

function ended(said: readonly string[], exitCode: number | undefined) {
  return { output: said.join('\n'), ...(exitCode !== undefined && { exitCode }) };
}

function whyNot({ error, exitCode }: ActionOutput): string {
  return error ?? `exit code ${exitCode}`;
}

async function runStep(step: Step, input: ActionInput, context: Context): Promise<ActionOutput> {
  if (context.signal.aborted) return { done: false, error: 'the deadline passed before it' };
  if (step.kind === 'action') return step.type.run(step.spec, input, context);
  if (step.kind === 'wait') return wait(step.waitMs, context.signal);
  await input.tell(step.text);
  return { done: true };
}

async function wait(durationMs: number, signal: AbortSignal): Promise<ActionOutput> {
  try {
    await sleep(durationMs, undefined, { signal });
    return { done: true };
  } catch (error) {
    if (!signal.aborted) throw error;
    return { done: false, error: 'the deadline passed meanwhile' };
  }
}
