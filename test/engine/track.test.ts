import { describe, expect, it } from 'vitest';
import { freshState, track, withoutPasses } from '../../src/engine/track.ts';
import type { ProbeState, StateName, UnknownCause, Verdict, VerdictKind } from '../../src/model.ts';

const THRESHOLDS = { failAfter: 3, recoverAfter: 2 };

function verdict(kind: VerdictKind, unknown: UnknownCause = 'internal'): Verdict {
  return {
    kind,
    reason: kind === 'pass' ? 'ok' : 'timeout',
    decidedBy: [],
    summary: kind,
    ...(kind === 'unknown' && { unknown }),
  };
}

/** Plays letters: p pass, w warn, f fail, i internal, a witness away, s suspect. Returns the state after each. */
function play(
  letters: string,
  from: ProbeState = freshState('web', 'r1', 0),
): { states: StateName[]; last: ProbeState } {
  const verdicts: Record<string, Verdict> = {
    p: verdict('pass'),
    w: verdict('warn'),
    f: verdict('fail'),
    i: verdict('unknown'),
    s: verdict('unknown', 'suspect'),
    a: verdict('unknown', 'witness_away'),
  };
  let last = from;
  const states = [...letters].map((letter, index) => {
    last = track(last, verdicts[letter] as Verdict, THRESHOLDS, index + 1).state;
    return last.state;
  });
  return { states, last };
}

describe('tracker', () => {
  it('believes the first pass of a probe that was never judged', () => {
    expect(play('p').states).toEqual(['up']);
  });

  it('goes down only after fail_after consecutive failures', () => {
    expect(play('pffpfff').states).toEqual(['up', 'up', 'up', 'up', 'up', 'up', 'down']);
  });

  it('comes up only after recover_after consecutive passes', () => {
    expect(play('pfffpfpp').states.slice(3)).toEqual(['down', 'down', 'down', 'down', 'up']);
  });

  it('degrades and recovers by the same thresholds', () => {
    expect(play('pwwwpp').states).toEqual(['up', 'up', 'up', 'degraded', 'degraded', 'up']);
  });

  it('counts warnings and failures together towards degraded', () => {
    expect(play('pwfw').states.at(-1)).toBe('degraded');
  });

  it('leaves down for degraded when runs stop failing but warn', () => {
    expect(play('fffww').states.slice(2)).toEqual(['down', 'down', 'degraded']);
  });

  it('goes from degraded to down when failures are confirmed', () => {
    expect(play('pwwwfff').states.slice(3)).toEqual(['degraded', 'degraded', 'degraded', 'down']);
  });

  it('lets an unknown of our own making change neither state nor streaks', () => {
    const before = play('pff').last;
    const after = play('sss', before).last;
    expect(after).toEqual(before);
    expect(play('f', after).states).toEqual(['down']);
  });

  it('reports a broken probe after fail_after internal errors, and returns by recover_after passes', () => {
    expect(play('piiipp').states).toEqual(['up', 'up', 'up', 'unknown', 'unknown', 'up']);
  });

  it('reports a target whose witness stays away, and takes it neither for fine nor for failing', () => {
    expect(play('pffaaa').states).toEqual(['up', 'up', 'up', 'up', 'up', 'unknown']);
    expect(play('fffaaa').states.at(-1)).toBe('unknown');
    expect(play('pfaffaf').states.at(-1)).toBe('down');
    expect(play('fffpap').states.at(-1)).toBe('down');
  });

  it('tells of a probe that is broken from its first run on, once', () => {
    let last = freshState('web', 'r1', 0);
    const told = [1, 2, 3, 4].map((at) => {
      const tracked = track(last, verdict('unknown'), THRESHOLDS, at);
      last = tracked.state;
      return tracked.change;
    });
    expect(told).toEqual([undefined, undefined, { from: 'unknown', to: 'unknown' }, undefined]);
  });

  it('sees a target fail through a probe that is broken at times', () => {
    expect(play('pfiffif').states.at(-1)).toBe('down');
  });

  it('keeps when the state began until it changes', () => {
    expect(play('pppff').last.since).toBe(1);
    expect(play('pppfff').last.since).toBe(6);
  });

  it('asks for another look while a change is unconfirmed', () => {
    const up = play('p').last;
    expect(track(up, verdict('pass'), THRESHOLDS, 9).confirming).toBe(false);
    expect(track(up, verdict('fail'), THRESHOLDS, 9).confirming).toBe(true);
    const down = play('fff').last;
    expect(track(down, verdict('fail'), THRESHOLDS, 9).confirming).toBe(false);
    expect(track(down, verdict('pass'), THRESHOLDS, 9).confirming).toBe(true);
  });

  it('does not let passes from before a fix had settled count', () => {
    const almost = play('fffp').last;
    expect(play('p', almost).states).toEqual(['up']);
    expect(play('p', withoutPasses(almost)).states).toEqual(['down']);
  });
});
