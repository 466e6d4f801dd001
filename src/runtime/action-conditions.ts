/** Decides the conditions of an action over the values that it saw. */
import { compileCondition, NO_WINDOW } from '../engine/condition.ts';
import type { SourceLocation } from '../model.ts';
import type { ActionInput } from '../ports.ts';

const NOWHERE: SourceLocation = { file: '', line: 1, column: 1 };

/** What was compiled when the file was read is kept by its fields and text: nothing is parsed again here. */
export const evaluateCondition: ActionInput['evaluate'] = (source, fields, values) => {
  const condition = compileCondition(source, { fields, everyMs: undefined, windows: false, location: NOWHERE });
  return condition.evaluate({ ok: true, reason: 'ok', latency_ms: 0, error: null, ...values }, NO_WINDOW);
};
