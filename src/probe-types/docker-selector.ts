/** Which containers of an engine have certain labels. */
import { z } from 'zod';
import { type Engine, parseAnswer, withSignal } from '../shared/docker-engine.ts';
import type { ContainerEvent } from '../shared/docker-events.ts';
import { ProbeFailure } from './failure.ts';

const LABEL = /^[^\s=]{1,200}(?:=.{0,1000})?$/;

/** Never empty: an empty selector must not come to mean all. */
export function selectorOption() {
  return z
    .array(z.string().regex(LABEL, 'is not a label: write name or name=value'))
    .min(1)
    .max(20)
    .describe('Instead of container: every container that has all of these labels, such as app=web');
}

/** More are not looked at one by one. */
const MAX_CONTAINERS = 100;

const LISTED = z.array(z.object({ Id: z.string(), Names: z.array(z.string()) }));

/** Names, in order; running or not. Throws a ProbeFailure when there are too many, and errors of the engine. */
export async function namesMatching(
  engine: Engine,
  labels: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const query = { all: true, limit: MAX_CONTAINERS + 1, filters: { label: [...labels] }, abortSignal: signal };
  const listed = parseAnswer(LISTED, await withSignal(signal, engine.listContainers(query)));
  if (listed.length > MAX_CONTAINERS) {
    throw new ProbeFailure('body', `more than ${MAX_CONTAINERS} containers match; narrow the selector`);
  }
  return listed.map(nameOf).sort();
}

/** A link of an old kind is called `/other/name`. */
function nameOf({ Id, Names }: z.output<typeof LISTED>[number]): string {
  const own = Names.find((name) => name.lastIndexOf('/') === 0);
  return own?.slice(1) ?? Id;
}

/** An event of a container with these labels. */
export function isSelected({ labels }: ContainerEvent, selector: readonly string[]): boolean {
  return selector.every((label) => {
    const [name = '', ...value] = label.split('=');
    if (!Object.hasOwn(labels, name)) return false;
    return !label.includes('=') || labels[name] === value.join('=');
  });
}
