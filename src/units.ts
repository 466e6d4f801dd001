/**
 * Quantities as people write them in files: durations (`1h30m`), sizes (`2GiB`), rates (`3 in 1h`).
 */
import type { RateLimit } from './model.ts';

const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g;

/** `500ms`, `30s`, `1h30m`, `7d` in milliseconds; undefined when it is not a duration. A bare `0` is allowed. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!DURATION.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(DURATION_PART)) {
    total += Number(amount) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
  }
  return Math.round(total);
}

/** Milliseconds as the shortest exact text of at most two units, rounded: `1h30m`, `4.2s`, `350ms`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)}ms`;
  if (durationMs < 10_000) return `${Number((durationMs / 1_000).toFixed(1))}s`;
  let rest = Math.round(durationMs / 1_000);
  const parts: string[] = [];
  for (const [unit, seconds] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const amount = Math.floor(rest / seconds);
    rest -= amount * seconds;
    if (amount > 0) parts.push(`${amount}${unit}`);
  }
  return parts.slice(0, 2).join('');
}

const SIZE = /^(\d+(?:\.\d+)?)\s*(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$/;
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** `64KiB`, `2GiB`, `10MB`, `4096` in bytes; undefined when it is not a size. */
export function parseBytes(text: string): number | undefined {
  const match = SIZE.exec(text);
  if (!match) return undefined;
  return Math.round(Number(match[1]) * (SIZE_UNITS[match[2] ?? 'B'] ?? 1));
}

const RATE = /^(\d+)\s+in\s+(\S+)$/;

/** `3 in 1h`; undefined when it is not a rate. */
export function parseRate(text: string): RateLimit | undefined {
  const match = RATE.exec(text.trim());
  const windowMs = match?.[2] === undefined ? undefined : parseDuration(match[2]);
  if (!match || windowMs === undefined || windowMs === 0) return undefined;
  return { count: Number(match[1]), windowMs };
}
