/** Every peer whose configuration can be imported, by its name on the command line. */
import { blackbox } from './blackbox.ts';
import type { Imported } from './entry.ts';
import { gatus } from './gatus.ts';
import { uptimeKuma } from './uptime-kuma.ts';

/** What was read for an import. */
export interface Sources {
  readonly file: SourceFile;
  /** A prometheus.yml, whose scrape configurations say which targets a module is asked for. */
  readonly prometheus?: SourceFile;
  /** Lines of `TARGET`, or `MODULE TARGET`. */
  readonly targets?: SourceFile;
}

export interface SourceFile {
  /** As it was named. */
  readonly name: string;
  /** Absolute folder: what it names is found there. */
  readonly folder: string;
  readonly text: string;
}

/** Errors: UsageError when the file is nothing that this peer writes. */
export type Importer = (sources: Sources) => Imported;

export const importers: Readonly<Record<string, Importer>> = { blackbox, gatus, 'uptime-kuma': uptimeKuma };
