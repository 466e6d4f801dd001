/**
 * A ring wheel: thousands of due times behind one timer. Ticks are whole buckets of a monotonic clock; everything that
 * falls into one bucket starts together, because a wake-up costs more than a probe.
 */

/** Width of a bucket in milliseconds. */
export const TICK_MS = 50;

/** One turn of the wheel: entries that are due later wait in their slot for their turn. */
const SLOTS = 2_048;

interface Entry<Key> {
  readonly key: Key;
  tick: number;
}

export class Wheel<Key> {
  /** By tick, modulo the turn; a slot that holds nothing is absent. */
  readonly #slots = new Map<number, Set<Entry<Key>>>();
  readonly #entries = new Map<Key, Entry<Key>>();
  /** Every tick before this one has been collected. */
  #nextTick: number;

  constructor(now: number) {
    this.#nextTick = Math.floor(now / TICK_MS);
  }

  /** Due at `at` (monotonic ms), replacing an earlier due time of the same key. What is overdue is due at the next tick. */
  set(key: Key, at: number): void {
    this.delete(key);
    const entry = { key, tick: Math.max(Math.ceil(at / TICK_MS), this.#nextTick) };
    this.#entries.set(key, entry);
    const slot = this.#slot(entry.tick);
    if (slot) slot.add(entry);
    else this.#slots.set(entry.tick % SLOTS, new Set([entry]));
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#leave(entry);
    this.#entries.delete(key);
  }

  /** Due time of a key, monotonic ms. */
  dueAt(key: Key): number | undefined {
    const entry = this.#entries.get(key);
    return entry && entry.tick * TICK_MS;
  }

  /** Removes and returns everything due by `now`, oldest bucket first, each with the time its bucket was planned for. */
  collect(now: number): { readonly key: Key; readonly plannedAt: number }[] {
    const last = Math.floor(now / TICK_MS);
    const due: { key: Key; plannedAt: number }[] = [];
    // After a long pause one turn visits every slot; more turns would find nothing new.
    const from = Math.max(this.#nextTick, last - SLOTS + 1);
    for (let tick = from; tick <= last; tick += 1) {
      for (const entry of this.#slot(tick) ?? []) {
        if (entry.tick > last) continue;
        this.#leave(entry);
        this.#entries.delete(entry.key);
        due.push({ key: entry.key, plannedAt: entry.tick * TICK_MS });
      }
    }
    this.#nextTick = Math.max(this.#nextTick, last + 1);
    return due;
  }

  /** When to look again, monotonic ms: the next bucket that holds anything, or one turn from now. */
  nextAt(): number {
    for (let tick = this.#nextTick; tick < this.#nextTick + SLOTS; tick += 1) {
      for (const entry of this.#slot(tick) ?? []) if (entry.tick === tick) return tick * TICK_MS;
    }
    return (this.#nextTick + SLOTS) * TICK_MS;
  }

  #slot(tick: number): Set<Entry<Key>> | undefined {
    return this.#slots.get(tick % SLOTS);
  }

  #leave(entry: Entry<Key>): void {
    const slot = this.#slot(entry.tick);
    slot?.delete(entry);
    if (slot?.size === 0) this.#slots.delete(entry.tick % SLOTS);
  }
}
