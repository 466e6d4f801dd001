/** What every action is given besides its attempt. */
import type { ActionInput } from '../../src/ports.ts';
import { evaluateCondition } from '../../src/runtime/spec-conditions.ts';

/** Nobody listens; conditions are decided as the daemon decides them. */
export const QUIET: Pick<ActionInput, 'tell' | 'evaluate'> = { tell: async () => {}, evaluate: evaluateCondition };
