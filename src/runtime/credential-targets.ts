/** Where the credentials of a module may go: whoever asks names the target, and gets to see what is sent there. */
import { BlockList, isIP } from 'node:net';
import { UsageError } from '../errors.ts';
import type { BlackboxModule } from '../model.ts';

/** Where clouds tell a machine its secrets, and where anybody on the same wire may answer. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('169.254.0.0', 16, 'ipv4');
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');

/** Errors: UsageError when a module with credentials is not for this target, or for whoever asks. */
export function refuseTarget({ name }: BlackboxModule, target: string, hasToken: boolean): void {
  if (!hasToken) {
    const message = `the module "${name}" sends its credentials to any target that is asked for: set http.token, so that only whoever holds it can ask`;
    throw new UsageError('token_needed', message);
  }
  if (isLinkLocal(hostOf(target))) {
    throw new UsageError('target_refused', `the module "${name}" sends no credentials to a link-local address`);
  }
}

function isLinkLocal(host: string): boolean {
  const family = isIP(host);
  return family !== 0 && LINK_LOCAL.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** As URLs are read, so that no spelling of an address (`0xA9FEA9FE`) is missed; an address may bring its zone. */
function hostOf(target: string): string {
  const plain = target.replace(/^(\[?[\da-f:.]+)%[^\]]*/i, '$1');
  if (isIP(plain) > 0) return plain;
  const url = /^[a-z]+:\/\//i.test(plain) ? plain : `http://${plain}`;
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[|\]$/g, '') : '';
}
