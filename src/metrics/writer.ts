/** Text of the Prometheus exposition, written in slices so that a large scrape never holds up the probes. */
import type { Clock } from '../ports.ts';

export type Format = 'text' | 'openmetrics';

/** Formats: https://prometheus.io/docs/instrumenting/exposition_formats/ and the OpenMetrics 1.0 specification. */
export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

export interface FamilyHead {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter' | 'histogram' | 'summary';
}

/** Rendering time of a slice. Joining and encoding it costs about as much again, so that the loop is free every 5 ms. */
const SLICE_MS = 2.5;
/** Lines between two looks at the clock. */
const STRIDE = 256;

/** Collects lines; `breathe` lets the event loop run whenever a slice is over. */
export class ExpositionWriter {
  readonly #format: Format;
  readonly #clock: Clock;
  /** Lines of the present slice, and the encoded slices before it. */
  #lines: string[] = [];
  readonly #slices: Buffer[] = [];
  #sliceStartedAt: number;
  #nextLook = STRIDE;

  constructor(format: Format, clock: Clock) {
    this.#format = format;
    this.#clock = clock;
    this.#sliceStartedAt = clock.monotonic();
  }

  /** Heads a family. All of its lines follow before the next head. */
  head({ name, help, type }: FamilyHead): void {
    const family = this.#format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
    this.#lines.push(`# HELP ${family} ${escapeHelp(help, this.#format)}\n# TYPE ${family} ${type}\n`);
  }

  /** One sample: the name with its labels, as `series` makes it, and the value. */
  sample(series: string, value: number): void {
    this.#lines.push(`${series} ${formatValue(value)}\n`);
  }

  /** Lines that were rendered before and kept. */
  text(lines: string): void {
    this.#lines.push(lines);
  }

  /** Undefined while the slice lasts, so that callers wait only when there is something to wait for. */
  breathe(): Promise<void> | undefined {
    if (this.#lines.length < this.#nextLook) return undefined;
    this.#nextLook += STRIDE;
    if (this.#clock.monotonic() - this.#sliceStartedAt < SLICE_MS) return undefined;
    this.#endSlice();
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#sliceStartedAt = this.#clock.monotonic();
        resolve();
      });
    });
  }

  finish(): Buffer {
    if (this.#format === 'openmetrics') this.#lines.push('# EOF\n');
    this.#endSlice();
    return Buffer.concat(this.#slices);
  }

  #endSlice(): void {
    this.#slices.push(Buffer.from(this.#lines.join('')));
    this.#lines = [];
    this.#nextLook = STRIDE;
  }
}

/** `name{labels}` of already rendered labels; without braces when there are none. */
export function series(name: string, labels: string): string {
  return labels === '' ? name : `${name}{${labels}}`;
}

/** `a="x",b="y"`, in the given order, with values escaped; absent ones are left out. */
export function renderLabels(labels: Readonly<Record<string, string | number | undefined>>): string {
  let text = '';
  for (const name in labels) {
    if (labels[name] !== undefined) text += `${text === '' ? '' : ','}${name}="${escapeLabel(String(labels[name]))}"`;
  }
  return text;
}

function escapeLabel(value: string): string {
  if (!/[\\\n"]/.test(value)) return value;
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function escapeHelp(help: string, format: Format): string {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped;
}

function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
