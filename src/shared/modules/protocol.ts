/** What crosses between the daemon and the thread of a module: plain data only. */
import type { FieldDeclarations, Fields, ProbeModule, Reason, SourceLocation } from '../../model.ts';

/** What a thread is started with. */
export interface ThreadData {
  /** Absolute folder of the home. */
  readonly home: string;
  /** Absent: the thread reads modules for the configuration. Present: it runs this one. */
  readonly run?: Pick<ProbeModule, 'file' | 'code'> & { readonly fields: FieldDeclarations };
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

export interface ReadRequest {
  /** Relative to the home. */
  readonly file: string;
}

export type ReadAnswer =
  | {
      readonly kind: 'read';
      /** Plain data, without functions. Absent: the module has no default export. */
      readonly definition?: Readonly<Record<string, unknown>>;
      readonly code: ReadonlyMap<string, string>;
      /** The file itself, behind symbolic links, as others import it. */
      readonly realFile: string;
      /** Files that it imports, relative to the home, without those of packages. */
      readonly imports: readonly string[];
    }
  | { readonly kind: 'faulty'; readonly fault: PlacedError };

// ── Running ──────────────────────────────────────────────────────────────────────────────────────────────────────

export interface RunRequest {
  readonly probe: string;
  readonly folder: string;
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, unknown>>;
}

export type ToThread =
  | { readonly kind: 'run'; readonly id: number; readonly request: RunRequest }
  | { readonly kind: 'abort'; readonly id: number };

export interface RunOutput {
  readonly reason: Reason;
  readonly fields: Fields;
  readonly error?: string;
  readonly latencyMs?: number;
}

export type FromThread =
  | { readonly kind: 'ready' }
  /** The thread still answers, though its run does not end. */
  | { readonly kind: 'aborting'; readonly id: number }
  | { readonly kind: 'done'; readonly id: number; readonly output: RunOutput }
  | { readonly kind: 'said'; readonly probe: string; readonly event: string; readonly fields: Fields }
  /** By `console.log` and its like. */
  | { readonly kind: 'printed'; readonly text: string }
  /** It ends now. */
  | { readonly kind: 'crashed'; readonly error: string };

/** An error with the place in the module where it was thrown. */
export interface PlacedError {
  readonly location: SourceLocation;
  readonly message: string;
}

/** `probes/queue.ts:12:3: message`. */
export function placed({ location: { file, line, column }, message }: PlacedError): string {
  return `${file}:${line}:${column}: ${message}`;
}
