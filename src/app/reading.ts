/** The home as it is read; what is a secret in it is known from then on. */
import { hashHome } from '../config/files.ts';
import { loadConfiguration } from '../config/load.ts';
import { ConfigurationError } from '../errors.ts';
import type { Configuration } from '../model.ts';
import type { Redactor } from '../redact.ts';
import { registries } from '../registries.ts';

/** What was read of the home: the watch sees whatever was saved after its `baseline`. */
export interface Reading {
  readonly baseline: Awaited<ReturnType<typeof hashHome>>;
  readonly configuration: Configuration;
}

export interface Reader {
  /** Error: ConfigurationError. */
  load(): Promise<Configuration>;
  read(): Promise<Reading>;
  /** What was saved while it stood by counts. An error in it does not keep it from being the brain: the watch tells of it. */
  readAgain(before: Reading): Promise<Reading>;
}

export interface ReaderParts {
  /** Absolute path of the home. */
  readonly home: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly redactor: Redactor;
}

export function createReader({ home, environment, redactor }: ReaderParts): Reader {
  const secrets = new Set<string>();

  async function load(): Promise<Configuration> {
    const configuration = await loadConfiguration(home, { registries, environment });
    // What was a secret stays one: an act that began before a reload may still print it.
    for (const secret of configuration.secrets) secrets.add(secret);
    redactor.use([...secrets]);
    return configuration;
  }

  async function read(): Promise<Reading> {
    const baseline = await hashHome(home);
    return { baseline, configuration: await load() };
  }

  return {
    load,
    read,
    async readAgain(before) {
      try {
        return await read();
      } catch (error) {
        if (error instanceof ConfigurationError) return before;
        throw error;
      }
    },
  };
}
