/** Libraries that are loaded when they are first needed, so that a daemon without such definitions does not carry them. */
import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { devNull } from 'node:os';
import { codeOf, messageOf, RetryableError } from './errors.ts';

const require = createRequire(import.meta.url);
/** What `require` has loaded, so that it costs nothing any more. */
const loaded = new Map<string, unknown>();

/** A load reads one file after the other; the rest is for what other threads may open meanwhile. */
const SPARE_DESCRIPTORS = 8;
/** Our own want: it says nothing about the library. */
const SCARCE: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

/**
 * `Library` is what a CommonJS module has of it. Never `import()` for this: Node remembers to the end of the process that an
 * import has failed, also when it was for want of a descriptor; and of a `package.json` that could not be read for that, that
 * there is none. So it is tried only while there are some, in one go.
 * Error: RetryableError `out_of_resources`; the next call tries again.
 */
export function loadLibrary<Library>(name: string): Library {
  if (!loaded.has(name)) loaded.set(name, load(name));
  return loaded.get(name) as Library;
}

function load(name: string): unknown {
  try {
    demandDescriptors();
    return require(name);
  } catch (error) {
    if (!SCARCE.has(codeOf(error) ?? '')) throw error;
    throw new RetryableError('out_of_resources', messageOf(error), { cause: error });
  }
}

function demandDescriptors(): void {
  const taken: number[] = [];
  try {
    while (taken.length < SPARE_DESCRIPTORS) taken.push(openSync(devNull, 'r'));
  } finally {
    for (const descriptor of taken) closeSync(descriptor);
  }
}
