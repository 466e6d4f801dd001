/** The history of results. One thing at a time happens to it, so that no day goes while it is read or written. */
import type { Kysely } from 'kysely';
import type { Store } from '../../ports.ts';
import type { Engine } from '../engine.ts';
import type { Database } from '../schema.ts';
import { Turnstile } from '../turnstile.ts';
import { addResults } from './add.ts';
import { prune } from './prune.ts';
import { lastResultTimes, readResults } from './read.ts';
import { SeriesDictionary } from './series.ts';

export type ResultHistory = Pick<Store, 'addResults' | 'results' | 'lastResultTimes' | 'prune'>;

export function resultHistory(db: Kysely<Database>, engine: Engine): ResultHistory {
  const turnstile = new Turnstile();
  const dictionary = new SeriesDictionary();
  return {
    addResults: (results) => turnstile.pass(() => addResults(db, engine, dictionary, results)),
    results: (filter) => turnstile.pass(() => readResults(db, engine.days, filter)),
    lastResultTimes: () => turnstile.pass(() => lastResultTimes(db, engine.days)),
    prune: (keep, now) =>
      turnstile.pass(async () => {
        try {
          return await prune(db, engine, keep, now);
        } finally {
          dictionary.forget();
        }
      }),
  };
}
