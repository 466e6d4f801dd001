/** What has been read of one probe, and what is made of it. */
import type { FieldDeclarations, Probe, ProbeModule, SourceLocation } from '../model.ts';
import type { ProbeType } from '../ports.ts';
import type { BrainstemKeys, ProbeKeys } from './file-schemas.ts';
import type { Member } from './members.ts';
import type { PluginEntry } from './plugin-entry.ts';
import type { Reading } from './reading.ts';
import type { Level } from './schedule.ts';
import type { Path, Tree } from './tree.ts';

/** A probe, and where each of its references was written. */
export interface ReadProbe {
  readonly probe: Probe;
  /** Absent while it is invalid: then only its references are checked. */
  readonly type: ProbeType | undefined;
  /** Other probes that its spec names, because it is made of them. */
  readonly members: readonly Member[];
  place(path: Path): SourceLocation;
}

export type Defaults = BrainstemKeys['defaults'];

export interface ProbeParts {
  readonly entry: Tree;
  readonly own: Level;
  readonly keys: ProbeKeys;
  readonly file: Level;
  readonly defaults: Defaults;
  readonly plugin: PluginEntry<ProbeType> | undefined;
  readonly module: ProbeModule | undefined;
  readonly manifest: Probe['manifest'];
  readonly reading: Reading;
}

/** What its code declares, where it has some. */
export function fieldsOf({ module }: ProbeParts, type: ProbeType): FieldDeclarations {
  return module?.fields ?? type.fields;
}
