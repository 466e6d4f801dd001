/** A wait that ends early when the signal aborts. */
export function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, Math.max(0, durationMs));
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}
