/** When a probe runs: an interval or a cron expression, and the deadline that follows from it. */
import { validateDetailed } from 'node-cron';
import type { Schedule } from '../model.ts';
import { formatDuration } from '../units.ts';
import type { ProbeDefaultKeys } from './file-schemas.ts';
import type { Problems } from './problems.ts';
import type { Tree } from './tree.ts';

/** One level on which a schedule can be written: the probe, its file's defaults. */
export interface Level {
  readonly keys: ProbeDefaultKeys;
  readonly tree: Tree;
}

/** Reports what is impossible on one level by itself. */
export function checkSchedule({ keys, tree }: Level, problems: Problems): void {
  const place = (key: string) => tree.children.get(key)?.location ?? tree.location;
  if (keys.every !== undefined && keys.cron !== undefined) {
    problems.add(place('cron'), '"cron" and "every" exclude each other; write one of them');
  }
  if (keys.cron !== undefined) {
    const fault = cronFault(keys.cron);
    if (fault !== undefined) problems.add(place('cron'), fault);
  }
  if (keys.timezone !== undefined && !isTimezone(keys.timezone)) {
    problems.add(place('timezone'), `"timezone" is not a known time zone; write one such as Europe/Berlin or UTC`);
  }
}

function cronFault(expression: string): string | undefined {
  const { valid, errors } = validateDetailed(expression);
  if (valid) return undefined;
  const [first] = errors;
  const which =
    first?.value === undefined || first.field === 'expression'
      ? ''
      : `: its ${first.field} field is ${JSON.stringify(first.value)}`;
  return `"cron" is not a cron expression${which}; write five fields such as "*/5 * * * *"`;
}

function isTimezone(timezone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** The nearest level that writes `cron` or `every` decides. */
export function scheduleOf(levels: readonly Level[], everyMs: number): Schedule {
  const { keys } = levels.find(({ keys }) => keys.cron !== undefined || keys.every !== undefined) ?? {};
  if (keys?.cron === undefined) return { kind: 'interval', everyMs: keys?.every ?? everyMs };
  const timezone = levels.find((level) => level.keys.timezone !== undefined)?.keys.timezone;
  return { kind: 'cron', expression: keys.cron, ...(timezone !== undefined && { timezone }) };
}

/**
 * The deadline of one run. Written by the probe itself it must fit its interval; a default gives way to a shorter interval.
 */
export function timeoutOf(schedule: Schedule, own: Level, inherited: number, problems: Problems): number {
  const longest = schedule.kind === 'interval' ? schedule.everyMs : Number.POSITIVE_INFINITY;
  const written = own.keys.timeout;
  if (written === undefined) return Math.min(inherited, longest);
  if (written > longest) tooLong('timeout', own, longest, problems);
  return written;
}

/** Reports a `retry_every` of the probe itself that is longer than its interval; an inherited one gives way. */
export function retryEveryOf(schedule: Schedule, levels: readonly Level[], problems: Problems): number | undefined {
  const level = levels.find(({ keys }) => keys.retry_every !== undefined);
  const retryEvery = level?.keys.retry_every;
  if (level === undefined || retryEvery === undefined || schedule.kind === 'cron') return retryEvery;
  if (retryEvery <= schedule.everyMs) return retryEvery;
  if (level === levels[0]) tooLong('retry_every', level, schedule.everyMs, problems);
  return schedule.everyMs;
}

function tooLong(key: string, { tree }: Level, everyMs: number, problems: Problems): void {
  const message = `"${key}" must not be longer than "every", which is ${formatDuration(everyMs)}`;
  problems.add(tree.children.get(key)?.location ?? tree.location, message);
}
