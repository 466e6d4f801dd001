/** Lets one through at a time, first come first served. */
export class Turnstile {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when everybody before has left, with the function to leave by. */
  async enter(): Promise<() => void> {
    const before = this.#last;
    let leave = () => {};
    this.#last = new Promise((resolve) => {
      leave = resolve;
    });
    await before;
    return leave;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    const leave = await this.enter();
    try {
      return await work();
    } finally {
      leave();
    }
  }
}
