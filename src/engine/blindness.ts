/**
 * Which failures might be ours: those that a network between us and the target could have caused. Pure.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { Reason } from '../model.ts';

/** `connect_refused` is not among them: it is an answer. */
const NETWORK_REASONS: ReadonlySet<Reason> = new Set(['dns', 'connect_timeout', 'unreachable', 'timeout']);

/** A failure that a network between us and the target could have caused. */
export function isOfTheNetwork(reason: Reason): boolean {
  return NETWORK_REASONS.has(reason);
}

/** By what it is called: no name is resolved. RFC 6761, 6.3, for the names. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, '');
  if (isIPv4(name)) return name.startsWith('127.');
  if (isIPv6(name)) return name === '::1' || name.startsWith('::ffff:127.');
  return name === 'localhost' || name.endsWith('.localhost');
}
