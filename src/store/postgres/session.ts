/**
 * The one connection that a store works on, made anew when it was lost. It holds the database for this daemon by an advisory
 * lock of its own session, so whoever lost the lock cannot write either: there is no moment at which two daemons can.
 */
import { type AppError, codeOf, PermanentError } from '../../errors.ts';
import type { PostgresConnection } from './connection.ts';
import { type Election, win } from './election.ts';
import { supersededBrain } from './failures.ts';
import {
  type Address,
  beginTerm,
  checkTerm,
  endBackend,
  type Joined,
  join,
  LEASE_MS,
  leaseHold,
  takeHold,
} from './hold.ts';

export interface SessionOptions extends Address {
  /** The connection, and with it the hold on the database, was lost. Called once for each loss, never after `close`. */
  onLost?(error: AppError): void;
  /** Other daemons wait for the same database, and this one may have to. Absent: whoever comes second is refused. */
  readonly election?: Election;
}

/** The hold is sure for this long after a question that was answered; the rest of the lease is for what begins then. */
const SURE_MS = (LEASE_MS * 2) / 3;

export class PostgresSession {
  readonly #options: SessionOptions;
  readonly #term: number;
  #joined: Joined;
  #closed = false;
  /** Of connecting again, so far. */
  #failures = 0;
  #lastFailure: unknown;

  /**
   * PermanentError `store_locked` when another daemon holds the database and goes on holding it. With an election it is
   * waited for instead, as long as it takes.
   */
  static async open(options: SessionOptions): Promise<PostgresSession> {
    const { election } = options;
    const joined = await (election ? win(options, election) : join(options));
    return closingOnFailure(joined, async () => {
      if (election) await leaseHold(joined.connection);
      else await takeHold(joined.connection);
      return new PostgresSession(options, joined, await beginTerm(joined.connection));
    });
  }

  private constructor(options: SessionOptions, joined: Joined, term: number) {
    this.#options = options;
    this.#joined = joined;
    this.#term = term;
    this.#watch(joined.connection);
  }

  get url(): string {
    return this.#options.url;
  }

  get place(): string {
    return this.#joined.connection.place;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Others wait for the hold: it must be kept up, and its loss matters at once. */
  get isContested(): boolean {
    return this.#options.election !== undefined;
  }

  /** False: another daemon may be the brain by now. */
  get isHeld(): boolean {
    const { lost, unprovenMs } = this.#joined.connection;
    return !this.isContested || (lost === undefined && unprovenMs < SURE_MS);
  }

  /** Asks the server for nothing, so that the lease goes on. A connection that is lost is left to who needs it. */
  async keepUp(): Promise<void> {
    const { connection } = this.#joined;
    if (!this.#closed && !connection.lost) await connection.query({ text: 'SELECT' });
  }

  /**
   * The connection, which holds the database. Callers take turns.
   * @param failures as it was when the caller began to wait: whoever waited while connecting failed does not try in vain again.
   */
  async connection(failures = this.#failures): Promise<PostgresConnection> {
    const { connection } = this.#joined;
    if (this.#closed || !connection.lost) return connection;
    if (failures !== this.#failures) throw this.#lastFailure;
    try {
      this.#joined = await this.#joinAgain();
    } catch (error) {
      this.#failures += 1;
      this.#lastFailure = error;
      throw error;
    }
    this.#watch(this.#joined.connection);
    return this.#joined.connection;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#joined.connection.close();
  }

  async #joinAgain(): Promise<Joined> {
    const joined = await join(this.#options);
    return closingOnFailure(joined, async () => {
      await endBackend(joined.connection, this.#joined.backend);
      await this.#holdAgain(joined.connection);
      return joined;
    });
  }

  async #holdAgain(connection: PostgresConnection): Promise<void> {
    try {
      // Whoever came between is known at once, and waited for in vain.
      await checkTerm(connection, this.#term);
      await takeHold(connection);
      await checkTerm(connection, this.#term);
      if (this.isContested) await leaseHold(connection);
    } catch (error) {
      const isPassed = error instanceof PermanentError && codeOf(error) === 'store_locked';
      throw isPassed && this.isContested ? supersededBrain(this.place, error) : error;
    }
  }

  #watch(connection: PostgresConnection): void {
    void connection.ended.then(() => {
      if (!this.#closed && connection.lost) this.#options.onLost?.(connection.lost);
    });
  }
}

async function closingOnFailure<T>(joined: Joined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await joined.connection.close();
    throw error;
  }
}
