/** What a scenario started, undone in reverse order however it ends. */

export type Cleanup = () => unknown;

export async function withCleanups<T>(work: (later: (cleanup: Cleanup) => void) => Promise<T>): Promise<T> {
  const cleanups: Cleanup[] = [];
  try {
    return await work((cleanup) => void cleanups.push(cleanup));
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}
