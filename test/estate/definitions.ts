/**
 * Definitions as the end-to-end tests of healing write them: quick probes of targets, and fixes that report to them.
 */
import { probeTypes } from '../../src/probe-types/index.ts';
import type { Targets } from './targets.ts';

/** One entry under `probes:`. `more` are further lines of it. */
export function probe(targets: Targets, name: string, more: readonly string[] = []): string {
  const given = (key: string, usual: string) => (more.some((line) => line.startsWith(`${key}:`)) ? [] : [usual]);
  const lines = [
    ...(more.some((line) => Object.hasOwn(probeTypes, line.split(':')[0] ?? ''))
      ? []
      : [`http: { url: "${targets.url(name)}" }`]),
    ...given('every', 'every: 500ms'),
    // Busy machines are slow to answer; a change of state is confirmed quickly all the same.
    ...given('timeout', 'timeout: 500ms'),
    ...given('retry_every', 'retry_every: 200ms'),
    ...given('fail_after', 'fail_after: 2'),
    ...given('recover_after', 'recover_after: 2'),
    ...given('relapse', 'relapse: 0s'),
    ...more,
  ];
  return `  - name: ${name}\n${lines.map((line) => `    ${line}\n`).join('')}`;
}

/** One entry under `remediations:`. */
export function fix(
  targets: Targets,
  name: string,
  target: string,
  effect: 'mends' | 'nothing',
  more: readonly string[] = [],
): string {
  const given = (key: string, usual: string) => (more.some((line) => line.startsWith(`${key}:`)) ? [] : [usual]);
  const lines = [
    ...given('exec', `exec: { argv: ${targets.fix(name, target, effect)} }`),
    ...given('timeout', 'timeout: 20s'),
    ...given('verify_within', 'verify_within: 10s'),
    ...given('cooldown', 'cooldown: 0s'),
    ...given('limit', 'limit: 100 in 1h'),
    ...more,
  ];
  return `  - name: ${name}\n${lines.map((line) => `    ${line}\n`).join('')}`;
}

export const probesFile = (...entries: readonly string[]) => `probes:\n${entries.join('')}`;
export const remediationsFile = (...entries: readonly string[]) => `remediations:\n${entries.join('')}`;
