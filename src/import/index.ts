/** Every peer whose configuration can be imported, by its name on the command line. */
import { blackbox } from './blackbox.ts';
import type { Imported, Sources } from './entry.ts';
import { gatus } from './gatus.ts';
import { uptimeKuma } from './uptime-kuma.ts';

/** Errors: UsageError when the file is nothing that this peer writes. */
export type Importer = (sources: Sources) => Imported;

export const importers: Readonly<Record<string, Importer>> = { blackbox, gatus, 'uptime-kuma': uptimeKuma };
