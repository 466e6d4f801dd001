/** A histogram with one label whose series exist before anything was observed, so that the first observation is an increase. */
import type { Histogram } from 'prom-client';

export interface NamedHistogram {
  /** Creates the series at 0; one that has observations keeps them, which prom-client's `zero` would not do. */
  begin(name: string): void;
  observe(name: string, seconds: number): void;
  remove(name: string): void;
}

export function namedHistogram(histogram: Histogram, label: string): NamedHistogram {
  const begun = new Set<string>();
  return {
    begin(name) {
      if (!begun.has(name)) histogram.zero({ [label]: name });
      begun.add(name);
    },
    observe(name, seconds) {
      begun.add(name);
      histogram.observe({ [label]: name }, seconds);
    },
    remove(name) {
      begun.delete(name);
      histogram.remove({ [label]: name });
    },
  };
}
