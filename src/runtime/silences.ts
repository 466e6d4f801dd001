/**
 * What people asked not to hear of. The silences that last or are to come are kept in memory, because every alert asks
 * for them; each change is a row first, with its line in the audit log.
 */
import { matchesAll, parseMatchers, SILENCE_FIELDS, type SilenceMatcher } from '../engine/silence.ts';
import { ConflictError, NotFoundError, UsageError } from '../errors.ts';
import type { Configuration, Incident, Silence } from '../model.ts';
import { didYouMean } from '../nearest.ts';
import type { Clock, Log, SilenceRequest, Store } from '../ports.ts';
import { formatDuration } from '../units.ts';
import { createSerial } from './serial.ts';

export interface Silences {
  load(): Promise<void>;
  /** Those that last or are to come, newest first. */
  current(): readonly Silence[];
  /** The one that keeps this incident from people now; of several the one that lasts longest. */
  of(incident: Incident): Silence | undefined;
  /** Errors: UsageError, ConflictError when there are too many. */
  add(request: SilenceRequest): Promise<Silence>;
  /** Ends it now. Errors: NotFoundError, ConflictError when it is over. */
  expire(id: number, by: string): Promise<Silence>;
}

export interface SilencesParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  configuration(): Configuration;
}

interface Kept {
  readonly silence: Silence;
  readonly matchers: readonly SilenceMatcher[];
}

/** Longer is a matter for the definitions: a route, a severity, `paused`. */
const LONGEST_MS = 90 * 86_400_000;
/** Of those that last or are to come. */
const MOST = 100;

export function createSilences({ store, clock, log, configuration }: SilencesParts): Silences {
  /** None that was ended by a person. */
  let kept: readonly Kept[] = [];
  const serial = createSerial();

  function current(): readonly Kept[] {
    const now = clock.now();
    return kept.filter(({ silence }) => silence.endsAt > now);
  }

  /** A misspelt name would silence nothing, or with `!=` far too much. */
  function checkNames(matchers: readonly SilenceMatcher[]): void {
    const probes = [...configuration().probes.values()];
    const known = new Set<string>([...SILENCE_FIELDS, ...probes.flatMap(({ labels }) => Object.keys(labels))]);
    const unknown = matchers.find(({ name }) => !known.has(name));
    if (!unknown) return;
    const { name, text } = unknown;
    const what = `${text}: no probe has a label "${name}"${didYouMean(name, known)}`;
    throw new UsageError('matcher_invalid', `${what}; there are ${[...known].join(', ')}`);
  }

  async function add(request: SilenceRequest): Promise<Silence> {
    const { author, comment, by } = request;
    const now = clock.now();
    const matchers = parseMatchers(request.matchers);
    checkNames(matchers);
    const silence = { ...spanOf(request, now), author, comment, createdAt: now };
    kept = current();
    if (kept.length >= MOST) {
      throw new ConflictError('too_many_silences', `there are ${MOST} silences already: let one expire first`);
    }
    const texts = matchers.map(({ text }) => text);
    const detail = `${texts.join(', ')} until ${new Date(silence.endsAt).toISOString()}: ${comment}`;
    const added = await store.transaction(async (queries) => {
      const inserted = await queries.insertSilence({ ...silence, matchers: texts });
      await queries.addAudit({ at: now, actor: by, action: 'silence', subject: `silence ${inserted.id}`, detail });
      return inserted;
    });
    kept = [{ silence: added, matchers }, ...kept];
    log.info('silence_added', { silence: added.id, by, detail });
    return added;
  }

  async function expire(id: number, by: string): Promise<Silence> {
    const now = clock.now();
    const ended = await store.transaction(async (queries) => {
      if (!(await queries.expireSilence(id, now))) return false;
      await queries.addAudit({ at: now, actor: by, action: 'expire', subject: `silence ${id}`, detail: '' });
      return true;
    });
    // Ended now, or before, or unknown: it keeps nothing back, whatever becomes of the answer.
    kept = kept.filter((each) => each.silence.id !== id);
    const silence = await store.silence(id);
    if (!silence) throw new NotFoundError('silence_unknown', `there is no silence ${id}`);
    if (!ended) throw new ConflictError('silence_over', `silence ${id} is over already`);
    log.info('silence_expired', { silence: id, by });
    return silence;
  }

  return {
    load: () =>
      serial(async () => {
        const rows = await store.silences({ endingAfter: clock.now(), limit: MOST });
        kept = rows.map((silence) => ({ silence, matchers: parseMatchers(silence.matchers) }));
      }),
    current: () => current().map(({ silence }) => silence),
    of(incident) {
      if (kept.length === 0) return undefined;
      const now = clock.now();
      const probe = incident.source === 'probe' ? configuration().probes.get(incident.subject) : undefined;
      return kept
        .filter(({ silence }) => silence.startsAt <= now && silence.endsAt > now)
        .filter(({ matchers }) => matchesAll(matchers, { incident, probe }))
        .map(({ silence }) => silence)
        .reduce<Silence | undefined>((last, each) => (last && last.endsAt >= each.endsAt ? last : each), undefined);
    },
    add: (request) => serial(() => add(request)),
    expire: (id, by) => serial(() => expire(id, by)),
  };
}

function spanOf({ startsAt, endsAt }: SilenceRequest, now: number): Pick<Silence, 'startsAt' | 'endsAt'> {
  const from = Math.max(startsAt ?? now, now);
  if (endsAt <= from) throw new UsageError('silence_empty', 'a silence must end in the future, after it has begun');
  if (endsAt - now > LONGEST_MS) {
    throw new UsageError('silence_too_long', `a silence may last until ${formatDuration(LONGEST_MS)} from now at most`);
  }
  return { startsAt: from, endsAt };
}
