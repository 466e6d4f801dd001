/** What is added to definitions so that end-to-end tests are quick. */

/** Of a probe. */
export const QUICK_PROBE = 'every: 400ms, timeout: 400ms, fail_after: 2, recover_after: 2, relapse: 0s';
/** Of a remediation. */
export const QUICK_FIX = 'timeout: 20s, settle: 300ms, verify_within: 20s, cooldown: 500ms, limit: 100 in 1h';
