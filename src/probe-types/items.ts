/** Several things looked at by one run: all of them have to be well, and who is not is named. */
import type { FailingItem, FieldDeclarations, Fields, Reason, Resource } from '../model.ts';
import type { ProbeOutput } from '../ports.ts';

export interface SeenItem {
  readonly item: string;
  readonly seen: ProbeOutput;
  readonly resource: Resource | undefined;
}

export const itemFields: FieldDeclarations = {
  items: { type: 'map', summary: 'each by its name: ok, reason and fields as above; null where one thing is watched' },
  total: { type: 'double', summary: 'how many there are; null where one thing is watched' },
  failing: { type: 'list', summary: 'names of those that fail; null where one thing is watched' },
};

/** Names that an error tells. */
const TOLD = 5;

/** The worst decides: an end that nobody wanted before one that a person may have. */
export function gather(all: readonly SeenItem[]): ProbeOutput {
  const failing = all.filter(({ seen }) => seen.reason !== 'ok').sort((one, other) => rank(one) - rank(other));
  const fields: Fields = {
    items: Object.fromEntries(all.map(({ item, seen }) => [item, itemOf(seen)])),
    total: all.length,
    failing: failing.map(({ item }) => item),
  };
  const [worst] = failing;
  if (!worst) return { reason: 'ok', fields, failing: [] };
  return { reason: worst.seen.reason, fields, failing: failing.map(toFailing), error: inWords(failing, all.length) };
}

function rank({ seen: { intervention, reason } }: SeenItem): number {
  return (intervention ? 2 : 0) + (reason === 'stopped' ? 1 : 0);
}

function itemOf({ reason, fields, error }: ProbeOutput): Fields & { readonly reason: Reason } {
  return { ...fields, ok: reason === 'ok', reason, error: error ?? null };
}

function toFailing({ item, seen: { intervention }, resource }: SeenItem): FailingItem {
  return { item, ...(resource && { resource }), ...(intervention && { intervention }) };
}

function inWords(failing: readonly SeenItem[], total: number): string {
  const told = failing.slice(0, TOLD).map(({ item, seen }) => seen.error ?? `${item}: ${seen.reason}`);
  const rest = failing.length > TOLD ? [`and ${failing.length - TOLD} more`] : [];
  return `${failing.length} of ${total}: ${[...told, ...rest].join('; ')}`;
}
