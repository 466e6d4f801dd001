/** Stable hashes of definitions: equal definitions have equal revisions, whatever the order of their keys. */
import { createHash } from 'node:crypto';
import { compareText } from './problems.ts';

/** 64 bits as hex: enough to tell definitions of one home apart, too little to guess a secret back from. */
export function revisionOf(value: unknown): string {
  // Not a slice of the whole digest's text: that would stay in memory behind it.
  return createHash('sha256').update(canonical(value)).digest().toString('hex', 0, 8);
}

function canonical(value: unknown): string {
  if (value instanceof Map) return canonical([...value]);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? String(value);
  const entries = Object.entries(value).filter(([, item]) => item !== undefined && typeof item !== 'function');
  entries.sort(([one], [other]) => compareText(one, other));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}
