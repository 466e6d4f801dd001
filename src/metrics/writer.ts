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

/** Rendering time of a slice, after which the loop is free. */
const SLICE_MS = 2.5;
/** Lines between two looks at the clock. */
const STRIDE = 64;
/** A UTF-16 code unit takes at most so many bytes in UTF-8. */
const BYTES_PER_UNIT = 3;
const FIRST_CAPACITY = 64 * 2 ** 10;
/** Room for a value and what stands around it; no number is longer than 25 characters. */
const VALUE_BYTES = 32;
const [OPEN, COMMA, CLOSE, SPACE, NEWLINE, ZERO] = [0x7b, 0x2c, 0x7d, 0x20, 0x0a, 0x30];

/** Labels in the form of a line: as text, or, where they come up again, as the bytes of it. */
export type Rendered = string | Uint8Array;

/**
 * Writes lines into one buffer; `breathe` lets the event loop run whenever a slice is over. Nothing is gathered as strings:
 * ten thousand of them that live until the end of a scrape cost the collector more than all the rest of it.
 */
export class ExpositionWriter {
  readonly #format: Format;
  readonly #clock: Clock;
  #buffer: Buffer;
  #length = 0;
  /** The name of the last sample, and its bytes: the lines of a family follow one another. */
  #name = '';
  #nameBytes: Uint8Array = new Uint8Array();
  #sliceStartedAt: number;
  #lines = 0;

  /** @param buffer written over, and replaced by a larger one when it is full. */
  constructor(format: Format, clock: Clock, buffer: Buffer = Buffer.allocUnsafeSlow(FIRST_CAPACITY)) {
    this.#format = format;
    this.#clock = clock;
    this.#buffer = buffer;
    this.#sliceStartedAt = clock.monotonic();
  }

  /** Heads a family. All of its lines follow before the next head. */
  head({ name, help, type }: FamilyHead): void {
    const family = this.#format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
    this.#write(`# HELP ${family} ${escapeHelp(help, this.#format)}\n# TYPE ${family} ${type}\n`);
  }

  /** One sample; what `more` holds follows what `labels` holds. */
  sample(name: string, value: number, labels: Rendered = '', more: Rendered = ''): void {
    this.#reserve(name.length + (labels.length + more.length) * BYTES_PER_UNIT + VALUE_BYTES);
    this.#bytes(this.#bytesOf(name));
    if (labels.length + more.length > 0) {
      this.#byte(OPEN);
      this.#rendered(labels);
      if (labels.length > 0 && more.length > 0) this.#byte(COMMA);
      this.#rendered(more);
      this.#byte(CLOSE);
    }
    this.#byte(SPACE);
    this.#value(value);
    this.#byte(NEWLINE);
  }

  /** Undefined while the slice lasts, so that callers wait only when there is something to wait for. */
  breathe(): Promise<void> | undefined {
    this.#lines += 1;
    if (this.#lines % STRIDE !== 0 || this.#clock.monotonic() - this.#sliceStartedAt < SLICE_MS) return undefined;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.#sliceStartedAt = this.#clock.monotonic();
        resolve();
      });
    });
  }

  /** The text, and the buffer in which it lies. */
  finish(): { readonly text: Buffer; readonly buffer: Buffer } {
    if (this.#format === 'openmetrics') this.#write('# EOF\n');
    return { text: this.#buffer.subarray(0, this.#length), buffer: this.#buffer };
  }

  #write(text: string): void {
    this.#reserve(text.length * BYTES_PER_UNIT);
    this.#length += this.#buffer.write(text, this.#length);
  }

  #bytesOf(name: string): Uint8Array {
    if (name === this.#name) return this.#nameBytes;
    this.#name = name;
    this.#nameBytes = Buffer.from(name, 'latin1');
    return this.#nameBytes;
  }

  #rendered(labels: Rendered): void {
    if (typeof labels !== 'string') this.#bytes(labels);
    else if (labels !== '') this.#length += this.#buffer.write(labels, this.#length);
  }

  /** Most values are one digit: a state, a flag, a count that stays at 0. */
  #value(value: number): void {
    if (value >= 0 && value <= 9 && Number.isInteger(value)) this.#byte(ZERO + value);
    else this.#length += this.#buffer.write(formatValue(value), this.#length, 'latin1');
  }

  #bytes(bytes: Uint8Array): void {
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #byte(byte: number): void {
    this.#buffer[this.#length] = byte;
    this.#length += 1;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
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
