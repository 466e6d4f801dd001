/** What the runtime is made of that comes from outside. */
import type { PermanentError } from '../errors.ts';
import type { Clock, Log, Meter, Registries, ReloadOutcome, Store } from '../ports.ts';

export interface RuntimeParts {
  readonly store: Store;
  readonly registries: Registries;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** The daemon's own variables, of which children see a few. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  redact(text: string): string;
  random(): number;
  /** Resource use of this process. */
  readonly process: { cpuMs(): number; uptimeMs(): number; memoryBytes(): number };
  /** Loads the home again and applies it. */
  reload(by: string): Promise<ReloadOutcome>;
  /** The store is lost: the daemon must end, and its next start sees what is left. */
  onLost(error: PermanentError): void;
}
