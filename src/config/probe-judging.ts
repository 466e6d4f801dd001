/** How a probe is judged, and what heals it: thresholds, conditions and ladders, checked against the fields of its type. */
import type { Condition, FieldDeclarations, Ladder } from '../model.ts';
import type { ProbeType } from '../ports.ts';
import { compileAt, compileList, exportFault, type Scope, withImplied } from './conditions.ts';
import type { ProbeKeys } from './file-schemas.ts';
import { fieldsOf, type ProbeParts } from './probe-parts.ts';
import type { Reading } from './reading.ts';
import { scheduleOf } from './schedule.ts';
import { nearestTree, type Tree } from './tree.ts';

export function judging(parts: ProbeParts) {
  const { own, keys, file, defaults, plugin, reading } = parts;
  const type = plugin?.type;
  if (type !== undefined) checkExports(own.tree, keys, fieldsOf(parts, type), reading);
  return {
    failAfter: keys.fail_after ?? file.keys.fail_after ?? type?.defaults?.failAfter ?? defaults.fail_after,
    recoverAfter:
      keys.recover_after ?? file.keys.recover_after ?? type?.defaults?.recoverAfter ?? defaults.recover_after,
    severity: keys.severity ?? file.keys.severity ?? ('warning' as const),
    ...(type === undefined ? { expect: [], warn: [], remediate: [] } : conditions(parts, type)),
  };
}

function conditions(parts: ProbeParts, type: ProbeType) {
  const { own, file, defaults, entry, plugin, reading } = parts;
  const schedule = scheduleOf([own, file], defaults.every);
  const everyMs = schedule.kind === 'interval' ? schedule.everyMs : undefined;
  const scope: Scope = { fields: fieldsOf(parts, type), everyMs, windows: true };
  const compile = (key: string): readonly Condition[] =>
    compileList(own.tree.children.get(key), scope, reading.problems);
  const implied = { ...scope, location: entry.location };
  return {
    expect: withImplied(compile('expect'), impliedExpectOf(type, plugin?.spec), implied),
    warn: withImplied(compile('warn'), type.impliedWarn, implied),
    remediate: ladders(parts, { ...scope, windows: false }),
  };
}

function impliedExpectOf({ impliedExpect }: ProbeType, spec: unknown): ProbeType['impliedExpect'] {
  return spec === undefined || impliedExpect?.appliesTo?.(spec) !== false ? impliedExpect : undefined;
}

function ladders({ own, keys, reading }: ProbeParts, scope: Scope): readonly Ladder[] {
  return (keys.remediate ?? []).map((ladder, index) => {
    const tree = own.tree.children.get('remediate')?.children.get(String(index));
    const when = compileAt(tree?.children.get('when'), scope, reading.problems);
    const rungs = ladder.try.map((rung) =>
      typeof rung === 'string' ? { remediation: rung, tries: 1 } : { remediation: rung.name, tries: rung.tries },
    );
    return { rungs, ...(when !== undefined && { when }) };
  });
}

function checkExports(tree: Tree, keys: ProbeKeys, fields: FieldDeclarations, { problems }: Reading): void {
  for (const [index, path] of (keys.export ?? []).entries()) {
    const fault = exportFault(path, fields);
    if (fault !== undefined) problems.add(nearestTree(tree, ['export', index]).location, fault);
  }
}
