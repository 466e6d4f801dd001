/** Every step from an empty database to the present schema, in order. Steps are never changed once released. */
import type { Migration } from '../migrate.ts';
import { decisions } from './0001-decisions.ts';
import { results } from './0002-results.ts';
import { silences } from './0003-silences.ts';

export const migrations: readonly Migration[] = [decisions, results, silences];
