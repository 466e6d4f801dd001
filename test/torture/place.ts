/** The store of a daemon that does not run, for whoever settles the account. */
import type { Clock, Log, Store } from '../../src/ports.ts';
import { openStore } from '../../src/store/open.ts';

const clock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent };

/** `url`: PostgreSQL; else the file of the home. */
export function openPlace({
  home = '/nonexistent',
  url,
}: {
  readonly home?: string;
  readonly url?: string;
}): Promise<Store> {
  return openStore({ home, clock, log: silent, ...(url !== undefined && { url }) });
}
