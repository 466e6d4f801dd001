/** What each kind of alert says of its incident, as a heading. */
import type { AlertKind } from '../model.ts';

export const KIND_TITLES: Readonly<Record<AlertKind, string>> = {
  opened: 'Failing',
  reopened: 'Failing again',
  escalated: 'Escalated',
  progress: 'News',
  reminder: 'Still failing',
  resolved: 'Resolved',
  healed_itself: 'Healed by itself',
  closed: 'No longer watched',
  digest: 'Digest',
  test: 'Test',
};
