import { describe, expect, it } from 'vitest';
import { composeDigest } from '../../src/engine/alert-digest.ts';
import type { AlertKind, Severity } from '../../src/model.ts';
import { alertOf, incidentOf, OPENED_AT } from '../notifiers/alerts.ts';

function about(id: number, kind: AlertKind, severity: Severity = 'warning', at = OPENED_AT) {
  return alertOf({ kind, severity, at, incident: incidentOf({ id, title: `Probe ${id}` }) });
}

function compose(...alerts: ReturnType<typeof about>[]) {
  return composeDigest({ eventId: 'digest-1', alerts, publicUrl: 'http://127.0.0.1:9911' });
}

describe('a digest', () => {
  it('names every incident once, by its last alert', () => {
    const digest = compose(about(1, 'opened'), about(2, 'opened'), about(1, 'escalated'), about(2, 'resolved'));
    expect(digest.digest).toEqual([
      { incidentId: 1, title: 'Probe 1', kind: 'escalated' },
      { incidentId: 2, title: 'Probe 2', kind: 'resolved' },
    ]);
    expect(digest.title).toBe('2 incidents at once');
    expect(digest.text).toBe('1 failing: Probe 1; 1 over: Probe 2');
  });

  it('is as severe as the worst that still fails', () => {
    expect(compose(about(1, 'opened', 'warning'), about(2, 'opened', 'critical')).severity).toBe('critical');
    expect(compose(about(1, 'opened', 'warning'), about(2, 'resolved', 'critical')).severity).toBe('warning');
    expect(compose(about(1, 'resolved', 'critical')).severity).toBe('info');
  });

  it('is as old as its oldest alert', () => {
    expect(compose(about(1, 'opened', 'info', 500), about(2, 'opened', 'info', 300)).at).toBe(300);
  });

  it('stays one line, however many it names', () => {
    const digest = compose(...Array.from({ length: 500 }, (_, id) => about(id, 'opened')));
    expect(digest.text).toBe('500 failing: Probe 0, Probe 1, Probe 2, Probe 3, Probe 4 and 495 more');
    expect(digest.digest).toHaveLength(500);
  });
});
