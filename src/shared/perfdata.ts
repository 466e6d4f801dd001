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

/** `'label'=value[unit];[warn];[crit];[min];[max]`; a quote inside quotes is doubled. */
const METRIC =
  /(?:'((?:[^']|'')+)'|([^\s'=]+))=([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)([^\s;\d]*)((?:;[^\s;]*){0,4})(?=\s|$)/g;

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
  for (const [, quoted, plain, value] of text.matchAll(METRIC)) {
    if (entries.length === MAX_LABELS) break;
    entries.push([quoted?.replaceAll("''", "'") ?? plain ?? '', Number(value)]);
  }
  // fromEntries defines own properties: a label `__proto__` is a label like any other.
  return Object.fromEntries(entries);
}
