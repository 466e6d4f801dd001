import { readFileSync, statSync } from 'node:fs';

/** What a small file says, parsed again only when the file changes; `parse` gets undefined when it is not there. */
export function cachedFile<T>(path: string, parse: (text: string | undefined) => T): () => T {
  let version: string | undefined;
  let parsed = parse(undefined);
  return () => {
    const stat = statSync(path, { throwIfNoEntry: false });
    const current = stat && `${stat.ino}:${stat.mtimeMs}:${stat.size}`;
    if (current !== version) {
      parsed = parse(stat && readFileSync(path, 'utf8'));
      version = current;
    }
    return parsed;
  };
}
