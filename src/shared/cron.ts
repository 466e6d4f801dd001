/**
 * When a calendar expression is next due, from any moment on. The expression is node-cron's, whose own `getNextRun`
 * answers only for now; whether a moment matches is asked of node-cron, so that schedules and deadlines agree.
 */
import { createTask, parse } from 'node-cron';

/** Long enough for a 29 February on a given weekday. */
const HORIZON_DAYS = 366 * 40;
const DAY_MS = 86_400_000;

export interface CronCalendar {
  /**
   * The first time after `afterMs` (both ms since the epoch); undefined: never. A local time that daylight saving skips
   * is not due that day; one that it repeats is due once, at its first occurrence.
   */
  next(afterMs: number): number | undefined;
}

/** `timezone` is an IANA name; default: the machine's. Errors: node-cron's, for an expression that is not valid. */
export function createCalendar(expression: string, timezone?: string): CronCalendar {
  const { second, minute, hour, month } = parse(expression);
  const times = timesOfDay(hour, minute, second);
  const zone = createZone(timezone);
  const matches = createMatcher(expression, timezone);

  /** undefined: the day does not match, or all its times are past. */
  function firstOnDay(dayMs: number, afterMs: number): number | undefined {
    const earliest = dayMs === startOfDay(zone.toLocal(afterMs)) ? zone.toLocal(afterMs) - dayMs : 0;
    for (const time of times.slice(lowerBound(times, earliest))) {
      const at = zone.toInstant(dayMs + time);
      if (at === undefined) continue;
      if (!matches(at)) return undefined;
      if (at > afterMs) return at;
    }
    return undefined;
  }

  function next(afterMs: number): number | undefined {
    const today = startOfDay(zone.toLocal(afterMs));
    for (let day = 0; day < HORIZON_DAYS; day += 1) {
      const dayMs = today + day * DAY_MS;
      if (!month.includes(new Date(dayMs).getUTCMonth() + 1)) continue;
      const at = firstOnDay(dayMs, afterMs);
      if (at !== undefined) return at;
    }
    return undefined;
  }

  return { next };
}

/** node-cron keeps a register of its tasks: this one is taken off it at once, and still knows how to match. */
function createMatcher(expression: string, timezone: string | undefined): (at: number) => boolean {
  const task = createTask(expression, () => {}, timezone === undefined ? {} : { timezone });
  void task.destroy();
  return (at) => task.match(new Date(at));
}

/** Milliseconds since local midnight, ascending. */
function timesOfDay(hours: readonly number[], minutes: readonly number[], seconds: readonly number[]): number[] {
  const times = hours.flatMap((hour) =>
    minutes.flatMap((minute) => seconds.map((second) => ((hour * 60 + minute) * 60 + second) * 1_000)),
  );
  return times.sort((left, right) => left - right);
}

function lowerBound(sorted: readonly number[], least: number): number {
  const found = sorted.findIndex((time) => time >= least);
  return found === -1 ? sorted.length : found;
}

/** A local time is written as the milliseconds that a clock in UTC would need to show it. */
interface Zone {
  toLocal(instantMs: number): number;
  /** The first instant that shows this local time; undefined: none does. */
  toInstant(localMs: number): number | undefined;
}

function createZone(timezone: string | undefined): Zone {
  const format = new Intl.DateTimeFormat('en-US', {
    ...(timezone !== undefined && { timeZone: timezone }),
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });

  function toLocal(instantMs: number): number {
    const parts = format.formatToParts(instantMs).map(({ type, value }) => [type, Number(value)] as const);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = Object.fromEntries(parts);
    return Date.UTC(year, month - 1, day, hour, minute, second);
  }

  /** Offsets of a day before and a day after: those of both sides of a change. */
  function toInstant(localMs: number): number | undefined {
    const offsets = [-DAY_MS, DAY_MS].map((shift) => toLocal(localMs + shift) - (localMs + shift));
    const instants = offsets.map((offset) => localMs - offset).filter((instant) => toLocal(instant) === localMs);
    return instants.length === 0 ? undefined : Math.min(...instants);
  }

  return { toLocal, toInstant };
}

function startOfDay(localMs: number): number {
  return localMs - (((localMs % DAY_MS) + DAY_MS) % DAY_MS);
}
