/**
 * What a module of blackbox.yml means here: a spec of one of our probe types for each target, and conditions over what
 * that type sees. Everything else (running, judging, exporting, importing) follows from these two.
 */
import type { z } from 'zod';
import type { CheckCause, Fields, Reason, SpecForTarget } from '../model.ts';

/** One prober of blackbox_exporter. */
export interface Prober<Options = unknown> {
  /** Key of the probe type that does its work. */
  readonly type: string;
  /** A target by which a module can be tried when it is read. */
  readonly sample: string;
  /** The options of its section; every one that is not supported is refused by name. */
  readonly options: z.ZodType<Options>;
  translate(options: Options, files: FileReader): Translation;
}

export interface Translation {
  /** In the order in which the exporter looks: the first false one says why the probe failed. */
  readonly checks: readonly Check[];
  /** Errors: UsageError when module and request contradict each other. */
  specFor(target: string, hostname: string | undefined): SpecForTarget;
  /** What the exporter would have counted, where that differs from what our type observes. */
  adjust?(fields: Fields, reason: Reason): Fields;
}

export interface Check {
  /** A condition in CEL over the fields of the probe type. */
  readonly source: string;
  readonly cause: CheckCause;
  /** The option that asks for it. */
  readonly option: readonly (string | number)[];
}

export interface FileReader {
  /** Absolute path of a file that is named relative to the home. */
  path(file: string): string;
  /** Its text, as it was when the configuration was read; empty when it could not be read, which was reported. */
  text(file: string): string;
  /** The same without blanks around it. */
  secret(file: string): string;
}

/** A text as a literal of CEL. */
export function quoted(text: string): string {
  return JSON.stringify(text);
}

/** `true` when it matches anywhere, as Go's `MatchString` does. */
export function matches(value: string, pattern: string): string {
  return `${value}.matches(${quoted(pattern)})`;
}
