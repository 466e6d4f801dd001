/** A part of the estate: something real on loopback that stands for a row of docs/estate.md. */
import type { Engine } from './engine.ts';

/** What is there when a part starts. */
export interface Ground {
  readonly engine: Engine;
  /** Of the estate: deleted with it. */
  readonly folder: string;
  /** Where the daemon will listen. */
  readonly daemonPort: number;
}

export interface StartedPart {
  /** What a person would write into .env for it. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export interface Part<Started extends StartedPart = StartedPart> {
  /** What it stands for. */
  readonly summary: string;
  /** Files without which it cannot be started, by the Debian package that brings each. */
  readonly needs: Readonly<Record<string, string>>;
  /** Why it cannot be started here, besides packages that are missing; undefined: it can. */
  hindrance?(): string | undefined;
  start(ground: Ground): Promise<Started>;
}

/** `KEY: value` of those that there are. */
export function given(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
