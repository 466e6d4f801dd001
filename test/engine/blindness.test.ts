import { expect, it } from 'vitest';
import { isLoopback, isOfTheNetwork } from '../../src/engine/blindness.ts';
import { REASONS } from '../../src/model.ts';

it('takes what a network can do for a doubt, and an answer for an answer', () => {
  expect(REASONS.filter(isOfTheNetwork)).toEqual(['dns', 'connect_timeout', 'unreachable', 'timeout']);
});

it.each(['127.0.0.1', '127.9.9.9', '::1', '[::1]', '::ffff:127.0.0.1', 'localhost', 'LOCALHOST', 'api.localhost'])(
  'knows that %s is this machine',
  (host) => expect(isLoopback(host)).toBe(true),
);

it.each(['10.0.0.1', '128.0.0.1', '::2', 'fe80::1', 'localhost.example', 'example', '127.example'])(
  'takes %s for another machine',
  (host) => expect(isLoopback(host)).toBe(false),
);
