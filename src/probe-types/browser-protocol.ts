/** What the daemon and the process that drives a browser tell one another: one request in, lines of JSON out. */
import type { Fields, Reason } from '../model.ts';
import type { Step } from './steps.ts';

export interface BrowserRequest {
  readonly url: string;
  readonly steps: readonly Step[];
  readonly secrets: Readonly<Record<string, string>>;
  readonly browser: BrowserPlace;
  readonly insecure: boolean;
  readonly screenshotOnFailure: boolean;
  /** How long a step waits for what it needs. */
  readonly patienceMs: number;
  /** By then it must have answered: after that it is killed. */
  readonly timeoutMs: number;
  /** Where screenshots are left. */
  readonly folder: string;
}

/** A program to start, or a browser that runs already, with what its DevTools want to be told. */
export type BrowserPlace =
  | { readonly executable: string; readonly sandbox: boolean }
  | { readonly cdp: string; readonly headers?: Readonly<Record<string, string>> };

/** What is being done until there is a page. */
export const STARTING = 'starting the browser';
/** What is being done until it is known whether the browser or the page has failed. */
export const ASKING = 'asking the browser whether it is there';

export interface Screenshot {
  readonly name: string;
  readonly file: string;
}

export type BrowserLine =
  /** What is being done now: what a run that is killed was at. */
  | { readonly kind: 'at'; readonly what: string }
  /** There was no browser, or it ended or stood still: nothing is known about the page. `internal`: we have no driver. */
  | { readonly kind: 'away'; readonly reason: Reason; readonly error: string }
  | {
      readonly kind: 'result';
      readonly reason: Reason;
      readonly error?: string;
      readonly fields: Fields;
      readonly screenshots: readonly Screenshot[];
    };

/** The last whole line of a kind. */
export function lastLine<Kind extends BrowserLine['kind']>(
  output: string,
  kind: Kind,
): Extract<BrowserLine, { kind: Kind }> | undefined {
  const lines = output.split('\n').slice(0, -1).map(parse);
  return lines.findLast((line): line is Extract<BrowserLine, { kind: Kind }> => line?.kind === kind);
}

function parse(line: string): BrowserLine | undefined {
  try {
    // Written by our own process.
    return JSON.parse(line) as BrowserLine;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
