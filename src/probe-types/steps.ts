/**
 * The grammar of `steps:`: a list of mappings, each with one verb of its probe type and, if wanted, a name. There is one
 * parser and one runner; a type brings its verbs and the world that they act on.
 */
import { z } from 'zod';
import { didYouMean } from '../nearest.ts';
import type { Clock } from '../ports.ts';
import { secret } from '../spec.ts';
import { ProbeFailure } from './failure.ts';
import { createMemory, type Memory, placeholders, VALUE_NAME } from './step-memory.ts';

/** How a verb is written. */
export interface VerbGrammar<Option extends z.ZodType = z.ZodType> {
  /** The key of a step. */
  readonly name: string;
  /** What stands under that key, with its description. In its texts `{{name}}` is for `Memory.fill`. */
  readonly option: Option;
  /** Names of the values that later steps may use. */
  saves?(option: z.output<Option>): readonly string[];
}

/** What a step can do to a world: the connection, browser or whatever else a run has open. */
export interface Verb<World, Option extends z.ZodType = z.ZodType> extends VerbGrammar<Option> {
  /** Throws a ProbeFailure for what the outside world does. Every wait ends at the run's deadline. */
  run(option: z.output<Option>, world: World, memory: Memory): Promise<void>;
}

/** As it was written and validated: exactly one of the keys is a verb. */
export type Step = Readonly<Record<string, unknown>> & { readonly name?: string | undefined };

const MAX_STEPS = 50;

/** The schema of `steps`; the spec around it adds `checkSteps`. */
export function stepsOption(verbs: readonly VerbGrammar[]) {
  const names = verbs.map(({ name }) => name);
  const options = verbs.map(({ name, option }) => [name, option.optional()]);
  const step = z
    .strictObject({
      name: z.string().min(1).max(60).optional().describe('What the step is called in messages'),
      ...(Object.fromEntries(options) as Readonly<Record<string, z.ZodType>>),
    })
    .superRefine((written: Step, context) => {
      const [first, second] = names.filter((name) => written[name] !== undefined);
      // A key that is unknown was meant to be the verb.
      if (first === undefined && context.issues.length === 0) {
        context.addIssue({ code: 'custom', message: `needs one of ${names.join(', ')}` });
      } else if (first !== undefined && second !== undefined) {
        const message = `has both "${first}" and "${second}"; each is a step of its own`;
        context.addIssue({ code: 'custom', message });
      }
    })
    .meta({ oneOf: names.map((name) => ({ required: [name] })) });
  return z.array(step).max(MAX_STEPS);
}

/** The schema of `secrets`: values that stand in no step, only their names do. */
export function secretsOption() {
  return z
    .record(z.string().regex(VALUE_NAME, 'must be letters, digits and "_"'), secret())
    .describe('Values that are kept secret, for {{NAME}} in the texts of steps');
}

export interface SpecWithSteps {
  readonly steps?: readonly Step[] | undefined;
  readonly secrets?: Readonly<Record<string, string>> | undefined;
}

/**
 * For `superRefine` of a spec with `steps` and perhaps `secrets`: a value that a step names is there when it runs. It waits
 * until nothing else is wrong.
 */
export function checkSteps(verbs: readonly VerbGrammar[]) {
  return ({ steps = [], secrets = {} }: SpecWithSteps, context: z.RefinementCtx): void => {
    if (context.issues.length > 0) return;
    const known = new Set(Object.keys(secrets));
    for (const [index, step] of steps.entries()) {
      const { verb, option } = chosenVerb(step, verbs);
      for (const { name, path } of placeholders(option)) {
        if (known.has(name)) continue;
        const message = `names {{${name}}}, which no step before saves${didYouMean(name, known)}`;
        context.addIssue({ code: 'custom', path: ['steps', index, verb.name, ...path], message });
      }
      for (const name of verb.saves?.(option) ?? []) known.add(name);
    }
  };
}

function chosenVerb<Known extends VerbGrammar>(step: Step, verbs: readonly Known[]) {
  const verb = verbs.find(({ name }) => step[name] !== undefined);
  // The schema sees to it.
  if (verb === undefined) throw new TypeError('a step without a verb');
  return { verb, option: step[verb.name] };
}

/** A step that has ended, well or not. */
export interface EndedStep {
  /** Counted from 1. */
  readonly number: number;
  /** Its own name, or its verb. */
  readonly name: string;
  readonly latencyMs: number;
}

export interface RunStepsOptions {
  readonly clock: Clock;
  /** Default: an empty one. */
  readonly memory?: Memory;
  onEnd?(step: EndedStep): void;
}

/**
 * Runs steps in order, up to the first that fails. Its ProbeFailure keeps the reason; its message names the step and holds
 * no value that was saved.
 */
export async function runSteps<World>(
  steps: readonly Step[],
  verbs: readonly Verb<World>[],
  world: World,
  options: RunStepsOptions,
): Promise<void> {
  const { clock, memory = createMemory(), onEnd } = options;
  for (const [index, step] of steps.entries()) {
    const { verb, option } = chosenVerb(step, verbs);
    const name = step.name ?? verb.name;
    const startedAt = clock.monotonic();
    try {
      await verb.run(option, world, memory);
    } catch (error) {
      if (!(error instanceof ProbeFailure)) throw error;
      const message = `step ${index + 1} (${name}): ${memory.hide(error.message)}`;
      throw error.withMessage(message);
    } finally {
      onEnd?.({ number: index + 1, name, latencyMs: clock.monotonic() - startedAt });
    }
  }
}
