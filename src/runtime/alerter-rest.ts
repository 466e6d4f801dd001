/** Waiting that somebody else can end. */

/** setTimeout fires at once for more. */
const LONGEST_MS = 2 ** 31 - 1;

export class Rest {
  #woken = false;
  #end: (() => void) | undefined;

  /** Ends the rest that goes on, or the next one. */
  wake(): void {
    this.#woken = true;
    this.#end?.();
  }

  async take(durationMs: number): Promise<void> {
    if (!this.#woken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(durationMs, LONGEST_MS));
        this.#end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#end = undefined;
    this.#woken = false;
  }
}
