/** The other probes that a definition names because it is made of their states. */
import type { SourceLocation } from '../model.ts';
import type { ProbeType } from '../ports.ts';
import type { PluginEntry } from './plugin-entry.ts';
import { nearestTree } from './tree.ts';

export interface Member {
  /** The option that names it. */
  readonly option: string;
  readonly name: string;
  readonly location: SourceLocation;
}

export function membersOf({ type, spec, tree }: PluginEntry<ProbeType>): readonly Member[] {
  if (type.members === undefined || spec === undefined) return [];
  const { option, of } = type.members;
  return of(spec).map((name, index) => ({ option, name, location: nearestTree(tree, [option, index]).location }));
}
