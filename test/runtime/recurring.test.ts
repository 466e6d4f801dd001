import { expect, it } from 'vitest';
import { RetryableError } from '../../src/errors.ts';
import type { Log } from '../../src/ports.ts';
import { createRecurring } from '../../src/runtime/recurring.ts';
import { quietLog } from '../notifiers/alerts.ts';

function listened() {
  const lines: string[] = [];
  const write = (level: string) => (event: string) => void lines.push(`${level} ${event}`);
  const log: Log = { ...quietLog, info: write('info'), error: write('error') };
  return { lines, recurring: createRecurring(log) };
}

it('is logged once when it begins, once for each change, and once when it is over', () => {
  const { lines, recurring } = listened();
  for (let tries = 0; tries < 3; tries += 1) recurring.failed('history_not_pruned', new Error('one'));
  recurring.failed('history_not_pruned', new Error('two'));
  recurring.over();
  recurring.over();
  recurring.failed('history_not_pruned', new Error('two'));
  expect(lines).toEqual([
    'error history_not_pruned',
    'error history_not_pruned',
    'info trouble_over',
    'error history_not_pruned',
  ]);
});

it('leaves it to the watch of the store to say that the store is away', () => {
  const { lines, recurring } = listened();
  recurring.failed('history_not_pruned', new RetryableError('store_away', 'the connection was lost'));
  recurring.over();
  expect(lines).toEqual([]);
});
