/** The values that decided a condition, for people: `status = 503`, `avg("latency_ms", "5m") = 312`. */
import type { Show, WindowUse } from '../model.ts';
import { formatDuration } from '../units.ts';
import type { FieldPath } from './cel-fields.ts';

/** Characters of one value. */
const VALUE_LIMIT = 120;
/** Characters of a text that are looked through for secrets: far more than are shown, so that none is cut in two. */
const LOOKED_THROUGH = 8_192;

/** All on one line, fields before windows, joined with `, `. */
export function describeReads(
  paths: readonly FieldPath[],
  values: readonly unknown[],
  windows: readonly WindowUse[],
  read: readonly (number | undefined)[],
  show: Show,
): string {
  const parts = paths.map(({ text }, index) => `${text} = ${describeValue(values[index], show)}`);
  windows.forEach((use, index) => {
    const value = read[index];
    parts.push(`${describeUse(use)} = ${value === undefined ? 'no_data' : describeNumber(value)}`);
  });
  return parts.join(', ');
}

function describeUse({ function: name, field, spanMs }: WindowUse): string {
  const span = JSON.stringify(formatDuration(spanMs));
  return field === undefined ? `${name}(${span})` : `${name}(${JSON.stringify(field)}, ${span})`;
}

/** Bounded whatever the value: lists and maps only say how large they are. */
function describeValue(value: unknown, show: Show): string {
  if (typeof value === 'string') return describeText(visible(value, show));
  if (typeof value === 'number') return describeNumber(value);
  if (typeof value === 'symbol') return 'missing';
  if (Array.isArray(value)) return `[${value.length} ${value.length === 1 ? 'item' : 'items'}]`;
  if (typeof value === 'object' && value !== null) return '{…}';
  return String(value);
}

function describeText(text: string): string {
  const quoted = JSON.stringify(text.slice(0, VALUE_LIMIT));
  return text.length > VALUE_LIMIT || quoted.length > VALUE_LIMIT ? `${quoted.slice(0, VALUE_LIMIT - 1)}…` : quoted;
}

/** At most six significant digits after which nobody looks; whole numbers stay whole. */
function describeNumber(value: number): string {
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(6)));
}

/** The beginning of a text, without what must not be seen; longer than anything that is shown of it. */
export function visible(text: string, show: Show): string {
  return show(text.slice(0, LOOKED_THROUGH));
}
