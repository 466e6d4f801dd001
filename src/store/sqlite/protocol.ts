/** What passes between the daemon's thread and the thread that holds the SQLite file. Kept flat: every message is cloned. */

import type { Cell } from '../cell.ts';

export type Request =
  | { readonly kind: 'execute'; readonly sql: string; readonly parameters: readonly Cell[] }
  /** One statement for every `width` cells. */
  | { readonly kind: 'batch'; readonly sql: string; readonly width: number; readonly cells: readonly Cell[] }
  /** Steps through to the end, where `execute` takes one step of what returns no rows. */
  | { readonly kind: 'script'; readonly sql: string }
  /** Ends the transaction, if one is open. */
  | { readonly kind: 'rollback' }
  | { readonly kind: 'close' };

export type Numbered<Message> = Message & { readonly id: number };

export interface Answer {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
  readonly changes: number;
}

/** `code` is SQLite's own, such as `SQLITE_FULL`, or one of ours, such as `schema_damaged`. */
export interface Failure {
  readonly code: string;
  readonly message: string;
}

export type Response = { readonly answer: Answer } | { readonly failure: Failure };

/** The answer to opening the file, which is asked by starting the worker. */
export const OPENING = 0;

/** Where a backup keeps decisions as they were when it began, beside the file. */
export function snapshotOf(file: string): string {
  return `${file}-snapshot`;
}
