/** Series of the dialogue of the `tcp` probe type, under blackbox_exporter's names. */
import type { SeriesFamily } from '../ports.ts';

export const dialogueFamilies: readonly SeriesFamily[] = [
  {
    name: 'probe_expect_info',
    help: 'What the steps observed, as labels.',
    sample: ({ observed }) =>
      // What `observe` steps put there: texts by names that are fit for labels.
      observed === undefined ? undefined : [{ labels: observed as Readonly<Record<string, string>>, value: 1 }],
  },
  {
    name: 'probe_failed_due_to_regex',
    help: 'Whether the server said all it would without what was expected.',
    sample: ({ expect_failed: failed }) => (failed === true ? 1 : 0),
  },
];
