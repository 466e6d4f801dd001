/** What must hold, however often PostgreSQL was killed. Pure: evidence in, findings out. */
import type { Finding } from '../judgement.ts';
import { EVERY_MS, TIMEOUT_MS } from './arena.ts';
import type { Evidence } from './evidence.ts';
import type { Span } from './ordeal.ts';

/** From a break to its DOWN, and from a mending to its UP: two runs, one deadline, and a machine with other work. */
const CONFIRMED_WITHIN_MS = 2 * EVERY_MS + TIMEOUT_MS + 3_000;
/** A call that was under way when the server died, and a fix that had begun. */
const SLACK_MS = 2_000;
/** Between the act of the campaign and its note of the time. */
const NOTED_MS = 50;
/** The longest time without a result of a probe: probing never stops. */
const GAP_MS = 4_000;

export function judge(evidence: Evidence): readonly Finding[] {
  return [
    finding('the daemon lives through all of it', evidence.pieces, () => evidence.mishaps),
    ...[noFalseDown, everyBreakIsDown, everyMendIsUp, transitionsFollow, oneOwnIncident, probingGoesOn].map((rule) =>
      rule(evidence),
    ),
    ...[noFixWhileAway, everyRunIsOnRecord, nothingIsLeft, everythingIsTold, nothingElseIsTold].map((rule) =>
      rule(evidence),
    ),
    finding('no result is dropped', evidence.lags, ({ droppedResults }) =>
      say(droppedResults > 0, `${droppedResults}`),
    ),
  ];
}

function noFalseDown({ transitions, breaks }: Evidence): Finding {
  const bad = transitions.filter(({ to }) => to === 'down' || to === 'degraded' || to === 'unknown');
  return finding('no target is DOWN that was well', bad, ({ probe, to, at }) => {
    const broken = breaks.some((each) => each.target === probe && covers(each, at, CONFIRMED_WITHIN_MS));
    return say(!broken || to !== 'down', `${probe} was ${to} at ${at}`);
  });
}

function everyBreakIsDown({ transitions, breaks }: Evidence): Finding {
  return finding('every break is DOWN on record, with its time', breaks, ({ target, from }) => {
    const seen = transitions.some(({ probe, to, at }) => probe === target && to === 'down' && follows(at, from));
    return say(!seen, `${target} broke at ${from}`);
  });
}

function everyMendIsUp({ transitions, breaks }: Evidence): Finding {
  return finding('every mending is UP on record, with its time', breaks, ({ target, from, until }) => {
    const seen = transitions.some(
      ({ probe, to, at }) => probe === target && to === 'up' && at >= from && at <= until + CONFIRMED_WITHIN_MS,
    );
    return say(!seen, `${target} was mended at ${until}`);
  });
}

function transitionsFollow({ transitions }: Evidence): Finding {
  const state = new Map<string, string>();
  return finding('each state follows from the one before', transitions, ({ probe, from, to, at }) => {
    const before = state.get(probe) ?? 'unknown';
    state.set(probe, to);
    return say(from !== before, `${probe} went from ${from} to ${to} at ${at}, but was ${before}`);
  });
}

function oneOwnIncident({ outages, ownStory }: Evidence): Finding {
  const begun = ownStory.filter(({ kind }) => kind === 'opened' || kind === 'reopened');
  const ended = ownStory.filter(({ kind }) => kind === 'resolved');
  const kills = outages.flat();
  const killOf = (at: number) => kills.findLast(({ from }) => at >= from - NOTED_MS);
  const each = finding('each outage is one incident of our own', outages, (downs) => {
    const times = downs.map((down) => begun.filter(({ at }) => killOf(at) === down).length);
    const wrong = times.every((count) => count === 0) || times.some((count) => count > 1);
    return say(wrong, `the outage of ${downs[0]?.from} began ${times.join(' and ')} times`);
  });
  const strange = begun.filter(({ at }) => at > (killOf(at)?.until ?? 0) + SLACK_MS);
  const unended = say(begun.length !== ended.length, `${begun.length} began, ${ended.length} ended`);
  return { ...each, violations: [...each.violations, ...strange.map(({ at }) => `none at ${at}`), ...unended] };
}

function probingGoesOn({ results, pieces }: Evidence): Finding {
  return finding('probing never stops, and every result is kept', [...results], ([probe, times]) =>
    pieces.flatMap(({ from, until }) => {
      const within = [from, ...times.filter((at) => at >= from && at <= until), until];
      const widest = Math.max(...within.map((at, index) => at - (within[index - 1] ?? at)));
      return say(widest > GAP_MS, `${probe}: nothing for ${widest} ms`);
    }),
  );
}

function noFixWhileAway({ fixes, outages }: Evidence): Finding {
  return finding('no fix begins while the store is away', fixes, ({ target, at }) => {
    const outage = outages.flat().find(({ from, until }) => at > from + SLACK_MS && at < until);
    return say(outage !== undefined, `mend-${target} ran at ${at}, the store was away since ${outage?.from}`);
  });
}

function everyRunIsOnRecord({ fixes, attempts }: Evidence): Finding {
  const ran = attempts.filter(({ startedAt }) => startedAt !== undefined);
  const found = finding('every run of a fix is an attempt on record', fixes, ({ target, at }) => {
    const runs = ran.filter(
      ({ probe, startedAt = 0, actedAt, endedAt }) =>
        probe === target && startedAt <= at && at <= (actedAt ?? endedAt ?? Number.POSITIVE_INFINITY),
    );
    return say(runs.length !== 1, `the run on ${target} at ${at} has ${runs.length} attempts`);
  });
  return { ...found, violations: [...found.violations, ...say(ran.length !== fixes.length, `${ran.length} attempts`)] };
}

function nothingIsLeft({ attempts, incidents, locked }: Evidence): Finding {
  const open = attempts.filter(({ endedAt }) => endedAt === undefined).map(({ id }) => `attempt ${id}`);
  const unresolved = incidents.filter(({ resolvedAt }) => resolvedAt === undefined).map(({ title }) => title);
  const violations = [...open, ...unresolved, ...locked];
  const checked = attempts.length + incidents.length;
  return { invariant: 'no attempt, incident or lock is left', checked, violations };
}

function everythingIsTold({ notifications, bus }: Evidence): Finding {
  const heard = new Set(bus.map(({ body }) => body.event_id));
  return finding('every alert on record was heard', notifications, ({ alert, state }) =>
    say(state !== 'sent' || !heard.has(alert.eventId), `${alert.kind}: ${alert.text}`),
  );
}

function nothingElseIsTold({ notifications, bus }: Evidence): Finding {
  const known = new Set(notifications.map(({ alert }) => alert.eventId));
  return finding('every alert that was heard is on record', bus, ({ body }) =>
    say(!known.has(body.event_id), `${body.kind}: ${body.text}`),
  );
}

function finding<T>(invariant: string, items: readonly T[], violationsOf: (item: T) => readonly string[]): Finding {
  return { invariant, checked: items.length, violations: items.flatMap(violationsOf) };
}

function say(isWrong: boolean, what: string): readonly string[] {
  return isWrong ? [what] : [];
}

function covers({ from, until }: Span, at: number, slackMs: number): boolean {
  return at >= from - NOTED_MS && at <= until + slackMs;
}

function follows(at: number, from: number): boolean {
  return at >= from && at <= from + CONFIRMED_WITHIN_MS;
}
