/** What the daemon's thread and the worker that ships the log say to one another. */

import type { PapertrailSettings } from '../model.ts';

/** Where lines go, and as whom. */
export type Destination = PapertrailSettings & { readonly hostname: string };

export interface Patience {
  /** For a connection, its handshake included. */
  readonly connectMs: number;
  /** For a piece of at most 8 KiB to be taken, as long as the connection stands. */
  readonly stallMs: number;
  /** Pause before the first new try; it doubles up to the longest. */
  readonly retryMs: number;
  readonly longestRetryMs: number;
}

export interface WorkerTask {
  readonly destination: Destination;
  readonly patience: Patience;
  readonly pid: number;
}

export type Order =
  /** Whole lines of the log, in UTF-8. One batch is under way at a time. */
  { readonly kind: 'ship'; readonly lines: Uint8Array<ArrayBuffer> } | { readonly kind: 'stop' };

export type Report =
  /** The destination's side has taken the whole batch. */
  | { readonly kind: 'taken' }
  /** Said once for each time that it goes away, and once when it is there again. */
  | { readonly kind: 'away'; readonly error: string }
  | { readonly kind: 'back' };
