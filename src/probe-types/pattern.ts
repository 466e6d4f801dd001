/** Regular expressions of definitions: RE2, which is linear in time, so that none can hang the daemon. */
import { RE2JS } from 're2js';
import type { z } from 'zod';
import { messageOf } from '../errors.ts';

/** For `superRefine`: the pattern compiles with these flags of RE2JS. */
export function checkPattern(flags = 0) {
  return (pattern: string, context: z.RefinementCtx): void => {
    try {
      RE2JS.compile(pattern, flags);
    } catch (error) {
      context.addIssue({ code: 'custom', message: `is not a regular expression of RE2: ${messageOf(error)}` });
    }
  };
}
