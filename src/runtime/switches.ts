/**
 * The human's switches over healing: freeze (a row, or the freeze file that works without us) and disarmed remediations.
 * Kept in memory for pages and metrics; the freeze file is looked at again before every act.
 */
import { stat } from 'node:fs/promises';
import { codeOf, RetryableError } from '../errors.ts';
import type { Clock, Disarmed, Freeze, Log, Store, StoreQueries } from '../ports.ts';

export interface Switches {
  load(): Promise<void>;
  /** Reads the rows again: the store may know more, or less, than we do. */
  reload(): Promise<void>;
  /** From memory, at most half a second old. */
  frozenNow(): Freeze | undefined;
  /** Looks at the freeze file again. */
  frozen(): Promise<Freeze | undefined>;
  freeze(by: string, why: string): Promise<Freeze>;
  /** False: the freeze file still holds. */
  unfreeze(by: string): Promise<boolean>;
  disarmed(): readonly Disarmed[];
  disarm(entry: Disarmed): Promise<void>;
  arm(remediation: string, by: string): Promise<boolean>;
  stop(): void;
}

export interface SwitchesParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  freezeFile(): string;
  onChanged(): void;
}

const POLL_MS = 500;

export function createSwitches({ store, clock, log, freezeFile, onChanged }: SwitchesParts): Switches {
  let row: Freeze | undefined;
  let file: Freeze | undefined;
  let disarmed: readonly Disarmed[] = [];
  let timer: NodeJS.Timeout | undefined;

  async function look(): Promise<void> {
    const before = file !== undefined;
    file = await fileFreeze(freezeFile());
    if (before === (file !== undefined)) return;
    log.warn(file ? 'healing_frozen' : 'healing_unfrozen', { by: 'freeze file' });
    onChanged();
  }

  async function reload(): Promise<void> {
    row = await store.frozen();
    disarmed = await store.disarmed();
  }

  async function audited(
    action: string,
    subject: string,
    by: string,
    detail: string,
    work: (queries: StoreQueries) => Promise<void>,
  ): Promise<void> {
    await store.transaction(async (queries) => {
      await work(queries);
      await queries.addAudit({ at: clock.now(), actor: by, action, subject, detail });
    });
    log.warn(`healing_${action}`, { subject, by, detail });
    onChanged();
  }

  return {
    reload,
    async load() {
      await reload();
      await look();
      timer = setInterval(() => void look(), POLL_MS);
      timer.unref();
    },
    frozenNow: () => file ?? row,
    async frozen() {
      await look();
      return file ?? row;
    },
    async freeze(by, why) {
      const freeze: Freeze = { at: clock.now(), by, why };
      const before = row;
      row = freeze;
      try {
        await audited('freeze', 'healing', by, why, (queries) => queries.freeze(freeze));
        // It may have been read again just before.
        row = freeze;
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error;
        row = before;
        const instead = `nothing is healed meanwhile; to hold it back afterwards too, create ${freezeFile()}`;
        throw new RetryableError(error.code, `${error.message}; ${instead}`, { cause: error });
      }
      return freeze;
    },
    async unfreeze(by) {
      await audited('unfreeze', 'healing', by, '', async (queries) => void (await queries.unfreeze()));
      row = undefined;
      await look();
      onChanged();
      return file === undefined;
    },
    disarmed: () => disarmed,
    async disarm(entry) {
      if (disarmed.some(({ remediation }) => remediation === entry.remediation)) return;
      await audited('disarm', entry.remediation, 'brainstem', entry.why, (queries) => queries.disarm(entry));
      disarmed = await store.disarmed();
    },
    async arm(remediation, by) {
      if (!disarmed.some((entry) => entry.remediation === remediation)) return false;
      await audited('arm', remediation, by, '', async (queries) => void (await queries.arm(remediation)));
      disarmed = await store.disarmed();
      onChanged();
      return true;
    },
    stop: () => clearInterval(timer),
  };
}

/** Fails closed: a freeze file that cannot be looked at holds healing back. */
async function fileFreeze(path: string): Promise<Freeze | undefined> {
  try {
    const { mtimeMs } = await stat(path);
    return { at: Math.round(mtimeMs), by: 'freeze file', why: `${path} exists` };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    return { at: 0, by: 'freeze file', why: `${path} cannot be looked at (${code ?? 'unknown error'})` };
  }
}
