import { describe, expect, it } from 'vitest';
import { type ChangeFacts, incidentChange } from '../../src/engine/incidents.ts';
import { anIncident, aProbe } from './definitions.ts';

const NOW = 1_000_000;

function change(facts: Partial<ChangeFacts>) {
  return incidentChange({
    ...{ probe: aProbe(), to: 'down', reason: 'timeout', summary: 'no answer', now: NOW },
    ...{ open: undefined, last: undefined, root: undefined, holdUntil: undefined, healedBy: undefined, quiet: false },
    ...facts,
  });
}

describe('incident of a state change', () => {
  it('opens at the severity of the probe and pages when it goes down', () => {
    expect(change({})).toMatchObject({
      action: 'insert',
      event: 'opened',
      alert: 'opened',
      incident: { severity: 'critical', paged: true, degraded: false },
    });
  });

  it('opens at most a warning when degraded', () => {
    expect(change({ to: 'degraded' })).toMatchObject({
      incident: { severity: 'warning', degraded: true },
      alert: 'opened',
    });
    expect(change({ to: 'degraded', probe: aProbe({ severity: 'info' }) })).toMatchObject({
      incident: { severity: 'info' },
    });
  });

  it('raises the same incident when a degraded probe goes down, and says it escalated', () => {
    const open = anIncident({ severity: 'warning', degraded: true });
    expect(change({ open })).toMatchObject({
      action: 'update',
      event: 'escalated',
      alert: 'escalated',
      incident: { severity: 'critical', degraded: false, openedAt: 1_000 },
    });
  });

  it('says nothing when a probe that broke while it was down sees its target fail as before', () => {
    const again = change({ open: anIncident({ exhausted: true }) });
    expect(again).toMatchObject({ incident: { severity: 'critical', exhausted: true } });
    expect(again?.alert).toBeUndefined();
  });

  it('keeps the incident open as a warning from down to degraded', () => {
    expect(change({ to: 'degraded', open: anIncident() })).toMatchObject({
      event: 'lowered',
      incident: { severity: 'warning', degraded: true },
    });
    expect(change({ to: 'degraded', open: anIncident() })?.incident.resolvedAt).toBeUndefined();
  });

  it('resolves only when up, and names what healed it', () => {
    expect(change({ to: 'up', open: anIncident(), healedBy: 'restart' })).toMatchObject({
      event: 'resolved',
      alert: 'resolved',
      incident: { resolvedAt: NOW, resolution: 'recovered', healedBy: 'restart' },
    });
    expect(change({ to: 'up' })).toBeUndefined();
  });

  it('never resolves by an unknown, and warns of a broken probe', () => {
    expect(change({ to: 'unknown', open: anIncident() })).toBeUndefined();
    expect(change({ to: 'unknown', reason: 'internal' })).toMatchObject({
      incident: { severity: 'warning' },
      alert: 'opened',
    });
  });

  it('calls a target whose witness was away not known, not degraded', () => {
    expect(change({ to: 'unknown', reason: 'timeout' })?.incident).toMatchObject({
      reason: 'internal',
      degraded: true,
    });
  });

  it('keeps quiet while the page is held, and tells of a quiet success afterwards', () => {
    const held = change({ holdUntil: NOW + 60_000 });
    expect(held).toMatchObject({ incident: { paged: false, holdUntil: NOW + 60_000 } });
    expect(held?.alert).toBeUndefined();
    const open = anIncident({ paged: false, holdUntil: NOW + 60_000 });
    expect(change({ to: 'up', open, healedBy: 'restart' })?.alert).toBe('healed_itself');
    expect(change({ to: 'up', open })?.alert).toBeUndefined();
  });

  it('opens below its root without a page, even where a page would be held', () => {
    const child = change({ root: anIncident({ id: 7 }), holdUntil: NOW + 1 });
    expect(child).toMatchObject({ incident: { parentId: 7, paged: false } });
    expect(child?.incident.holdUntil).toBeUndefined();
    expect(child?.alert).toBeUndefined();
  });

  it('reopens the same incident within the relapse time, and opens a new one after it', () => {
    const last = anIncident({ resolvedAt: NOW - 60_000, resolution: 'recovered', healedBy: 'restart', reopened: 1 });
    const again = change({ last });
    expect(again).toMatchObject({
      action: 'update',
      event: 'reopened',
      alert: 'reopened',
      incident: { openedAt: 1_000, activeAt: NOW, reopened: 2 },
    });
    expect(again?.incident).not.toHaveProperty('healedBy');
    expect(again?.incident).not.toHaveProperty('resolvedAt');
    expect(change({ last: anIncident({ resolvedAt: NOW - 900_001, resolution: 'recovered' }) })).toMatchObject({
      action: 'insert',
      event: 'opened',
    });
  });

  it('does not reopen what ended with its definition', () => {
    expect(change({ last: anIncident({ resolvedAt: NOW - 1, resolution: 'definition_removed' }) })).toMatchObject({
      action: 'insert',
    });
  });
});
