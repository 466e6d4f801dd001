/**
 * Windows: the recent runs of one probe, for conditions such as `avg("latency_ms", "5m") < 200`.
 *
 * - Numeric functions see the runs whose exchange succeeded and that had a number; `error_rate` sees all.
 * - `count` is how many runs had the number; it has an opinion as soon as there were runs, whatever they gave.
 * - *Unknown* runs are never recorded.
 * - A window whose data covers less than half of its span has no opinion.
 */
import type { Probe, Result, WindowReader, WindowUse } from '../model.ts';
import { AGGREGATES } from './window-aggregates.ts';
import { sampleOfResult, type WindowSample } from './window-samples.ts';

export { sampleOf, type WindowSample } from './window-samples.ts';

export interface WindowSpec {
  /** Dotted paths of the numbers that are kept; `latency_ms` is one like the others. */
  readonly numericPaths: readonly string[];
  /** The longest span that is asked for. */
  readonly spanMs: number;
  /** Usual distance of two runs. */
  readonly everyMs: number;
}

export interface RunWindow {
  /** In the order of their times. */
  push(sample: WindowSample): void;
  /** What the window says at `now`, the run at `now` included. Valid until the next push. */
  reader(now: number): WindowReader;
  /** For a changed type or target. */
  clear(): void;
}

/** Runs that are kept at most; the oldest make room. Conditions may ask for 20,000, and retries come closer. */
const CAPACITY_LIMIT = 30_000;
const FIRST_CAPACITY = 16;

/** Starts small and grows with what its span really holds. */
export function createWindow(spec: WindowSpec): RunWindow {
  return new RunRing(spec);
}

/** What a probe's conditions need; undefined when none looks back. On a calendar, runs count as 1 min apart. */
export function windowSpecOf(probe: Probe): WindowSpec | undefined {
  const uses = [...probe.expect, ...probe.warn].flatMap(({ windows }) => windows);
  if (uses.length === 0) return undefined;
  const everyMs = probe.schedule.kind === 'interval' ? probe.schedule.everyMs : 60_000;
  const numericPaths = [...new Set(uses.flatMap(({ field }) => (field === undefined ? [] : [field])))];
  return { numericPaths, spanMs: Math.max(...uses.map(({ spanMs }) => spanMs)), everyMs };
}

/** Pushes stored runs, oldest first. */
export function refill(window: RunWindow, spec: WindowSpec, results: readonly Result[]): void {
  for (const result of results) {
    const sample = sampleOfResult(result, spec.numericPaths);
    if (sample) window.push(sample);
  }
}

class RunRing implements RunWindow {
  readonly #spec: WindowSpec;
  #times = new Float64Array(FIRST_CAPACITY);
  #errors = new Uint8Array(FIRST_CAPACITY);
  /** By path, NaN where a run has no number. */
  #columns = new Map<string, Float64Array>();
  /** Position of the oldest run; the `#count` positions from there on, wrapping, are live. */
  #oldest = 0;
  #count = 0;

  constructor(spec: WindowSpec) {
    this.#spec = spec;
    for (const path of spec.numericPaths) this.#columns.set(path, new Float64Array(FIRST_CAPACITY));
  }

  push({ at, error, values }: WindowSample): void {
    this.#forgetAfter(at);
    this.#expire(at - this.#spec.spanMs);
    if (this.#count === this.#times.length) this.#makeRoom();
    const position = this.#position(this.#count++);
    this.#times[position] = at;
    this.#errors[position] = Number(error);
    for (const [path, column] of this.#columns) column[position] = values[path] ?? Number.NaN;
  }

  reader(now: number): WindowReader {
    return { read: (use) => this.#read(use, now) };
  }

  clear(): void {
    this.#oldest = 0;
    this.#count = 0;
  }

  #read(use: WindowUse, now: number): number | undefined {
    const runs = this.#within(now - use.spanMs, now);
    if (use.function === 'error_rate') return this.#covers(runs, use.spanMs) ? this.#errorRate(runs) : undefined;
    const column = this.#columns.get(use.field ?? '');
    if (!column) return undefined;
    const numeric = runs.filter((position) => !Number.isNaN(column[position]));
    if (!this.#covers(use.function === 'count' ? runs : numeric, use.spanMs)) return undefined;
    return AGGREGATES[use.function](
      numeric.map((position) => at(column, position)),
      numeric.map((position) => at(this.#times, position)),
    );
  }

  #errorRate(positions: readonly number[]): number {
    return positions.reduce((sum, position) => sum + at(this.#errors, position), 0) / positions.length;
  }

  /** Positions of the runs after `from` and not after `now`, oldest first. */
  #within(from: number, now: number): number[] {
    const positions: number[] = [];
    for (let index = 0; index < this.#count; index++) {
      const position = this.#position(index);
      const time = at(this.#times, position);
      if (time > from && time <= now) positions.push(position);
    }
    return positions;
  }

  /** From the first to the last run at least half of the span, but for half an interval of jitter. */
  #covers(positions: readonly number[], spanMs: number): boolean {
    const [first, last] = [positions[0], positions.at(-1)];
    if (first === undefined || last === undefined) return false;
    return at(this.#times, last) - at(this.#times, first) + this.#spec.everyMs / 2 >= spanMs / 2;
  }

  #position(index: number): number {
    return (this.#oldest + index) % this.#times.length;
  }

  /** A clock that was set back: what seems to lie ahead would come up again as if it were fresh. */
  #forgetAfter(now: number): void {
    while (this.#count > 0 && at(this.#times, this.#position(this.#count - 1)) > now) this.#count--;
  }

  #expire(before: number): void {
    while (this.#count > 0 && at(this.#times, this.#oldest) <= before) this.#dropOldest();
  }

  #dropOldest(): void {
    this.#oldest = this.#position(1);
    this.#count--;
  }

  #makeRoom(): void {
    if (this.#count < CAPACITY_LIMIT) this.#grow();
    else this.#dropOldest();
  }

  #grow(): void {
    const positions = Array.from({ length: this.#count }, (_, index) => this.#position(index));
    const capacity = Math.min(CAPACITY_LIMIT, 2 * this.#count);
    this.#times = moved(this.#times, new Float64Array(capacity), positions);
    this.#errors = moved(this.#errors, new Uint8Array(capacity), positions);
    for (const [path, column] of this.#columns) {
      this.#columns.set(path, moved(column, new Float64Array(capacity), positions));
    }
    this.#oldest = 0;
  }
}

type Column = Float64Array | Uint8Array;

function moved<T extends Column>(from: T, to: T, positions: readonly number[]): T {
  positions.forEach((position, index) => {
    to[index] = at(from, position);
  });
  return to;
}

/** Positions are live, so there is always a number. */
function at(column: Column, position: number): number {
  return column[position] ?? Number.NaN;
}
