/**
 * What a probe in code is written against: `import { defineProbe } from 'brainstem'`. Types, and one function that hands
 * back what it is given, so that editors complete and check the definition.
 */
import type { FieldDeclarations, Reason } from '../../model.ts';

/** Plain data: what may cross from a module's thread to the daemon and back. */
export type PlainData =
  | null
  | boolean
  | number
  | string
  | readonly PlainData[]
  | { readonly [key: string]: PlainData | undefined };

/** The keys of every probe, as they are written in YAML: durations are texts such as `30s`. */
export interface ProbeKeys {
  readonly title?: string;
  readonly every?: string;
  /** Instead of `every`. */
  readonly cron?: string;
  readonly timezone?: string;
  /** Deadline of one run. Default: the smaller of 10s and `every`. */
  readonly timeout?: string;
  readonly retry_every?: string;
  readonly fail_after?: number;
  readonly recover_after?: number;
  readonly severity?: 'info' | 'warning' | 'critical';
  readonly group?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly depends_on?: readonly string[];
  readonly notify?: readonly string[];
  readonly page_after?: string;
  readonly relapse?: string;
  readonly runbook?: string;
  /** `{ objective: 99.9, window: '30d' }`: how many percent of its runs are to pass. */
  readonly slo?: { readonly objective: number; readonly window?: string };
  readonly paused?: boolean;
  /** Conditions in CEL over what `run` returns; any false: down. */
  readonly expect?: readonly string[];
  /** Conditions in CEL; any false: degraded. */
  readonly warn?: readonly string[];
  readonly remediate?: readonly {
    readonly when?: string;
    readonly try: readonly (string | { readonly name: string; readonly tries?: number })[];
  }[];
  /** Numeric fields to export as `brainstem_probe_field`. */
  readonly export?: readonly string[];
}

export interface ProbeDefinition extends ProbeKeys {
  /** With a name the module is a probe by itself. Without, probes in YAML name it: `custom: { module: ./this.ts }`. */
  readonly name?: string;
  /** Fields that `run` returns. A condition that uses one is checked when the file is read; others may be of any type. */
  readonly fields?: FieldDeclarations;
  /** Values for `context.env`; `${NAME}` is replaced, and a variable that is unset makes the probe unconfigured. */
  readonly env?: Readonly<Record<string, string>>;
  /** The same for `context.secrets`: appears in no log, page, metric or message. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** Anything else that `run` should know: `context.options`. */
  readonly options?: Readonly<Record<string, PlainData>>;
  /** Looks once. Returns fields, or `context.failed(…)`. What it throws is a bug of the probe: *unknown*, never *down*. */
  run(context: ProbeContext): Promise<Returned> | Returned;
}

/** Fields by name, or what `context.failed` made. */
export type Returned = Readonly<Record<string, unknown>> | Failed;

declare const FAILED: unique symbol;

/** The target is not as it should be; made by `context.failed` alone. */
export interface Failed {
  readonly [FAILED]: true;
}

/** Why a target failed. `internal` is a bug of the probe, and `ok` no failure. */
export type FailureReason = Exclude<Reason, 'ok' | 'internal'>;

export interface ProbeContext {
  /** Name of the probe that runs. */
  readonly probe: string;
  /** Aborts at the deadline: hand it to `fetch` and its like. A run that goes on all the same is ended with its thread. */
  readonly signal: AbortSignal;
  /** Milliseconds until the deadline, as the run started. */
  readonly timeoutMs: number;
  /** Absolute folder of the definition file. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, unknown>>;
  /** Goes to the daemon's log. `console.log` does too. */
  log(event: string, fields?: Readonly<Record<string, unknown>>): void;
  /** `return failed('connect_refused', error)`: the target is down, for this reason; `fields` are what was seen so far. */
  failed(reason: FailureReason, error: unknown, fields?: Readonly<Record<string, unknown>>): Failed;
}

export function defineProbe<Definition extends ProbeDefinition>(definition: Definition): Definition {
  return definition;
}
