/** Whether a container's end was commanded: what a person or the engine does begins with a `kill`, a crash does not. */
import { expect, test } from 'vitest';
import { type ContainerEvent, EventMemory } from '../../src/shared/docker-events.ts';

const STARTED_AT = 1_000;
const event = (action: string, at: number): ContainerEvent => ({ id: 'c1', name: 'web', action, at, labels: {} });

function memoryOf(...events: readonly ContainerEvent[]): EventMemory {
  const memory = new EventMemory();
  for (const each of events) memory.record(each);
  return memory;
}

test('a die without a kill in the same life is a crash', () => {
  expect(memoryOf(event('die', 2_000)).diedAlone('c1', STARTED_AT)).toBe(true);
  expect(memoryOf(event('oom', 1_999), event('die', 2_000)).diedAlone('c1', STARTED_AT)).toBe(true);
  expect(memoryOf(event('kill', 500), event('die', 2_000)).diedAlone('c1', STARTED_AT)).toBe(true);
});

test('a die after a kill was commanded', () => {
  expect(memoryOf(event('kill', 1_990), event('die', 2_000)).diedAlone('c1', STARTED_AT)).toBe(false);
});

test('an end that was not followed, or around an engine that went away, may have been commanded', () => {
  expect(memoryOf().diedAlone('c1', STARTED_AT)).toBe(false);
  expect(memoryOf(event('die', 500)).diedAlone('c1', STARTED_AT)).toBe(false);
  const memory = memoryOf(event('die', 2_000));
  memory.engineLost(2_500);
  expect(memory.diedAlone('c1', STARTED_AT)).toBe(false);
});
