/** Answers as JSON text, without secrets, written in slices so that a large one never holds up the probes. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { redactAll } from '../redact.ts';

/** Keys whose values name definitions and states: everything else refers to them, so they are never redacted. */
const NAMES: ReadonlySet<string> = new Set([
  ...['name', 'type', 'group', 'severity', 'state', 'reason', 'kind', 'probe', 'remediation', 'notifier'],
  ...['subject', 'source'],
]);

/** Items of a list between two turns of the event loop: about a millisecond of work. */
const SLICE_ITEMS = 100;

type Redact = (text: string) => string;

/** The lists of an answer come after its other members, and every string but names is redacted. */
export async function serialise(answer: unknown, redact: Redact): Promise<string> {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return textOf(answer, redact);
  const members = Object.entries(answer);
  const plain = textOf(Object.fromEntries(members.filter(([, value]) => !Array.isArray(value))), redact);
  const parts = plain === '{}' ? [] : [plain.slice(1, -1)];
  for (const [key, value] of members) {
    if (Array.isArray(value)) parts.push(`${JSON.stringify(key)}:${await listText(value, redact)}`);
  }
  return `{${parts.join(',')}}`;
}

async function listText(items: readonly unknown[], redact: Redact): Promise<string> {
  const slices: string[] = [];
  for (let from = 0; from < items.length; from += SLICE_ITEMS) {
    if (from > 0) await nextTurn();
    slices.push(textOf(items.slice(from, from + SLICE_ITEMS), redact).slice(1, -1));
  }
  return `[${slices.join(',')}]`;
}

function textOf(value: unknown, redact: Redact): string {
  return JSON.stringify(value, (key, member: unknown) => {
    if (typeof member === 'bigint') return Number(member);
    // What stands in there was named by a target, not by us.
    if (key === 'fields') return redactAll(member, redact);
    return typeof member === 'string' && !NAMES.has(key) ? redact(member) : member;
  });
}
