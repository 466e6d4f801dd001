/**
 * The output of Nagios-compatible plugins: text for people, and performance data after a bar.
 * Source: https://nagios-plugins.org/doc/guidelines.html, "Plugin Output for Nagios" and "Performance data".
 */

export interface PluginOutput {
  /** The first line, without its performance data. */
  readonly summary: string;
  /** Label → value as printed. Units and thresholds are left out, and so are unknown values (`U`). */
  readonly perfdata: Readonly<Record<string, number>>;
}

/** More labels than that are a mistake: the first ones are kept. */
const MAX_LABELS = 1_000;

/** A longer one is no metric. Also bounds the work on each. */
const MAX_METRIC_CHARS = 1_000;

/** Separated by white space, which a quoted label may hold. Linear: once a quote opens, an unclosed one is the last. */
const TOKEN = /(?:'[^']*')+\S*|[^\s']\S*/g;

/** `'label'=value[unit];[warn];[crit];[min];[max]`; a quote inside quotes is doubled. */
const METRIC =
  /^(?:'((?:[^']|'')+)'|([^\s'=]+))=([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)[^\s;\d]*(?:;[^\s;]*){0,4}$/;

export function parsePluginOutput(stdout: string): PluginOutput {
  const [first = '', ...rest] = stdout.split(/\r?\n/);
  const [summary = '', ...inline] = first.split('|');
  const [, ...long] = rest.join('\n').split('|');
  const written = [inline.join('|'), ...long].join('\n');
  return { summary: summary.trim(), perfdata: parsePerfdata(written) };
}

/** What does not follow the grammar is passed over; of two equal labels the last one counts. */
export function parsePerfdata(text: string): Readonly<Record<string, number>> {
  const entries: [string, number][] = [];
  for (const [token] of text.matchAll(TOKEN)) {
    if (entries.length === MAX_LABELS) break;
    const [, quoted, plain, value] = (token.length <= MAX_METRIC_CHARS && METRIC.exec(token)) || [];
    const label = quoted?.replaceAll("''", "'") ?? plain;
    if (label !== undefined) entries.push([label, Number(value)]);
  }
  // fromEntries defines own properties: a label `__proto__` is a label like any other.
  return Object.fromEntries(entries);
}
