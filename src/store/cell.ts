/** What a column can hold. Booleans are not among them: binding one to SQLite aborts the whole process. */
import { AppError } from '../errors.ts';

export type Cell = string | number | bigint | null | Uint8Array;

/**
 * Anything but a cell aborts the process, is cut short, or is stored as something else. NUL cannot stand in a text (neither
 * in SQLite's nor in PostgreSQL's), so U+FFFD takes its place; inside JSON it is escaped and survives.
 */
export function toCell(value: unknown): Cell {
  if (typeof value === 'string') return value.includes('\0') ? value.replaceAll('\0', '\uFFFD') : value;
  if (typeof value === 'number' || typeof value === 'bigint' || value === null) return value;
  if (value instanceof Uint8Array) return value;
  throw new AppError('store_parameter', `a column cannot hold a value of type ${typeof value}`);
}
