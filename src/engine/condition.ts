/**
 * Conditions: CEL expressions over what a probe saw, compiled and type-checked when their file is read.
 *
 * Evaluation never throws and is bounded by a step budget. It ends in one of three ways:
 * - *no_data* only where a window without an opinion could, once it has one, still make the condition true;
 * - *false* also when something the expression needs is missing: a key that the target left out, null in a comparison
 *   or a calculation, a value of the wrong type, a spent budget. `||` does not need the side that is missing;
 * - *true* otherwise.
 */
import type { Environment } from '@marcbachmann/cel-js';
import type {
  Bindings,
  Condition,
  ConditionResult,
  FieldDeclarations,
  Show,
  SourceLocation,
  WindowReader,
} from '../model.ts';
import { compileExpression } from './cel-compile.ts';
import { createEnvironment, parseSource } from './cel-environment.ts';
import { COMMON_FIELDS, readPath } from './cel-fields.ts';
import { type Evaluate, NO_DATA, type Run, STEP_LIMIT, StepsExhausted } from './cel-run.ts';
import { describeReads } from './condition-detail.ts';
import { ConditionError } from './condition-error.ts';

export { ConditionError } from './condition-error.ts';

/** Characters of one condition. */
const SOURCE_LIMIT = 4_096;

export interface ConditionScope {
  /** Those of the probe type; the common ones are added. */
  readonly fields: FieldDeclarations;
  /** undefined: the probe runs on a calendar. */
  readonly everyMs: number | undefined;
  /** False where nothing is looked back on, as in `when:`. */
  readonly windows: boolean;
  readonly location: SourceLocation;
}

/** Hides nothing. */
export const SHOW_ALL: Show = (text) => text;

/** Has no opinion about anything: for conditions without windows. */
export const NO_WINDOW: WindowReader = { read: () => undefined };

/** What does not depend on where it stands: the same for all probes that write the same. */
type SharedCondition = Omit<Condition, 'location'>;

interface Workshop {
  readonly fields: FieldDeclarations;
  readonly environment: Environment;
  /** By scope and source. */
  readonly compiled: Map<string, SharedCondition>;
}

/** Conditions kept for the next probe that writes them. */
const SHARED_LIMIT = 1_000;

/** A memo: the declarations of a probe type are one object, and all that is made of it is a pure function of it. */
const WORKSHOPS = new WeakMap<FieldDeclarations, Workshop>();

/** Compiles and type-checks. Errors: ConditionError, one line, with the offset of the fault. */
export function compileCondition(source: string, scope: ConditionScope): Condition {
  if (source.trim() === '') throw new ConditionError('the condition is empty', 0);
  if (source.length > SOURCE_LIMIT) throw new ConditionError(`longer than ${SOURCE_LIMIT} characters`, SOURCE_LIMIT);
  const { paths, windows, evaluate } = sharedCondition(source, scope);
  return { source, location: scope.location, paths, windows, evaluate };
}

function sharedCondition(source: string, scope: ConditionScope): SharedCondition {
  const { fields, environment, compiled } = workshopOf(scope.fields);
  const key = `${scope.everyMs} ${scope.windows} ${source}`;
  const known = compiled.get(key);
  if (known) return known;
  const { ast, check } = parseSource(environment, source);
  const expression = compileExpression(ast, { fields, everyMs: scope.everyMs, windowsAllowed: scope.windows });
  check();
  const made = createCondition(source, expression);
  if (compiled.size >= SHARED_LIMIT) compiled.clear();
  compiled.set(key, made);
  return made;
}

function workshopOf(declared: FieldDeclarations): Workshop {
  const known = WORKSHOPS.get(declared);
  if (known) return known;
  const fields = { ...declared, ...COMMON_FIELDS };
  const made = { fields, environment: createEnvironment(fields), compiled: new Map() };
  WORKSHOPS.set(declared, made);
  return made;
}

function createCondition(
  source: string,
  { evaluate, paths, windows }: ReturnType<typeof compileExpression>,
): SharedCondition {
  return {
    source,
    paths: paths.map(({ text }) => text),
    windows,
    evaluate(bindings: Bindings, window: WindowReader, show: Show = SHOW_ALL): ConditionResult {
      const read = windows.map((use) => window.read(use));
      const outcome = outcomeOf(evaluate, { bindings, windows: read, locals: [], steps: STEP_LIMIT });
      const values = paths.map((path) => readPath(bindings, path));
      const detail = describeReads(paths, values, windows, read, show);
      if (outcome !== 'exhausted') return { outcome, detail };
      return { outcome: 'false', detail: `stopped after ${STEP_LIMIT} steps: ${detail}` };
    },
  };
}

function outcomeOf(evaluate: Evaluate, run: Run): ConditionResult['outcome'] | 'exhausted' {
  try {
    const value = evaluate(run);
    if (value === NO_DATA) return 'no_data';
    return value === true ? 'true' : 'false';
  } catch (error) {
    if (error instanceof StepsExhausted) return 'exhausted';
    throw error;
  }
}
