/** V8's heap of this thread, as far as a program may tend it. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * A full collection that moves what lives together, so that the pages in between go back to the system. It stops this thread
 * for about a tenth of a second: for moments at which nothing waits, such as the end of reading a configuration, whose trees
 * are worth several times what is kept of them. V8 by itself would leave their pages half empty for good.
 *
 * The collector is reached by flags (https://nodejs.org/docs/latest-v20.x/api/v8.html#v8setflagsfromstringflags), as Node
 * offers no function for it. Where V8 no longer knows a flag, less is gained, and nothing breaks.
 */
export function compactHeap(): void {
  setFlagsFromString('--expose-gc');
  setFlagsFromString('--compact-on-every-full-gc');
  const collect: unknown = runInNewContext('globalThis.gc');
  if (typeof collect === 'function') collect();
  setFlagsFromString('--no-compact-on-every-full-gc');
  setFlagsFromString('--no-expose-gc');
}
