/** Decides the conditions that stand in the spec of an action or a probe, over the values that it saw. */
import { compileCondition, NO_WINDOW } from '../engine/condition.ts';
import { reasonOf } from '../engine/judge.ts';
import type { Bindings, SourceLocation } from '../model.ts';
import type { EvaluateCondition } from '../ports.ts';

const NOWHERE: SourceLocation = { file: '', line: 1, column: 1 };

/** What was compiled when the file was read is kept by its fields and text: nothing is parsed again here. */
export const evaluateCondition: EvaluateCondition = (source, fields, values, show) => {
  const condition = compileCondition(source, { fields, everyMs: undefined, windows: false, location: NOWHERE });
  const bindings: Bindings = { ok: true, reason: 'ok', latency_ms: 0, error: null, ...values };
  return { ...condition.evaluate(bindings, NO_WINDOW, show), reason: reasonOf(condition, bindings) };
};
