/** The home, for commands that do one thing with it and need no daemon. */
import { loadConfiguration } from '../config/load.ts';
import { ConfigurationError, UsageError } from '../errors.ts';
import type { Configuration } from '../model.ts';
import { registries } from '../registries.ts';
import type { CliIo } from './io.ts';

/** A home that does not load says nothing about what was asked: wrong usage, not *down* or *refused*. Errors: UsageError. */
export async function loadHome(home: string, { environment }: CliIo): Promise<Configuration> {
  try {
    return await loadConfiguration(home, { registries, environment });
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    throw new UsageError('home_invalid', error.message, { cause: error });
  }
}
