/**
 * An append-only file of JSON lines that a fake service writes by itself: the oracle that a test compares with what the
 * daemon says it did.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

export interface Journal<Entry> {
  append(entry: Entry): void;
  /** Oldest first. */
  entries(): Entry[];
}

/** Without a file the entries stay in memory. */
export function openJournal<Entry>(file?: string): Journal<Entry> {
  const entries = file !== undefined && existsSync(file) ? readJournal<Entry>(file) : [];
  return {
    append(entry) {
      if (file !== undefined) appendFileSync(file, `${JSON.stringify(entry)}\n`);
      entries.push(entry);
    },
    entries: () => [...entries],
  };
}

function readJournal<Entry>(file: string): Entry[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Entry);
}
