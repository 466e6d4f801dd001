/** A file under `remediations/` to remediations. */
import type { ActionCall, Remediation } from '../model.ts';
import type { ActionType } from '../ports.ts';
import { formatDuration } from '../units.ts';
import { checkKeys } from './check.ts';
import { type RemediationKeys, remediationSchema } from './file-schemas.ts';
import { checkMarks } from './marks.ts';
import { commonPart, type PluginEntry, readPlugin } from './plugin-entry.ts';
import { type Reading, readEntries, registerName } from './reading.ts';
import { type Tree, unsetNames } from './tree.ts';

const REMEDIATION_KEYS = Object.keys(remediationSchema.shape);

export interface ReadRemediation {
  readonly remediation: Remediation;
  readonly type: ActionType | undefined;
}

export function readRemediations(file: Tree, reading: Reading): readonly ReadRemediation[] {
  return readEntries(file, 'remediations', [], reading.problems)
    .map((entry) => readRemediation(entry, reading))
    .filter((remediation) => remediation !== undefined);
}

function readRemediation(entry: Tree, reading: Reading): ReadRemediation | undefined {
  const { problems } = reading;
  registerName(entry, 'remediation', reading.names.remediations, problems);
  const plugin = readAction(entry, REMEDIATION_KEYS, reading);
  const tree = commonPart(entry, { types: reading.registries.actionTypes, commonKeys: REMEDIATION_KEYS });
  const keys = checkKeys(remediationSchema, tree, { whole: 'a remediation', problems });
  if (keys === undefined) return undefined;
  checkVerification(keys, tree, reading);
  const evidence = readEvidence(tree, reading);
  return { remediation: assemble(entry, keys, plugin, evidence), type: plugin?.type };
}

function readAction(
  entry: Tree,
  commonKeys: readonly string[],
  { registries, problems, secrets }: Reading,
): PluginEntry<ActionType> | undefined {
  const options = { kind: 'action', types: registries.actionTypes, commonKeys, problems, secrets };
  const action = readPlugin(entry, options);
  if (action !== undefined) checkMarks(action.type.spec, action.tree, problems);
  return action;
}

function checkVerification(keys: RemediationKeys, tree: Tree, { problems }: Reading): void {
  if (keys.verify_within > keys.settle) return;
  const place = tree.children.get('verify_within') ?? tree.children.get('settle') ?? tree;
  const message = `"verify_within" must be longer than "settle", which is ${formatDuration(keys.settle)}`;
  problems.add(place.location, message);
}

/** Only actions that read may serve as evidence: it is gathered before anybody has said yes to an act. */
function readEvidence(tree: Tree, reading: Reading): readonly ActionCall[] {
  const calls: ActionCall[] = [];
  for (const entry of tree.children.get('evidence')?.children.values() ?? []) {
    if (entry.kind !== 'mapping') continue;
    const action = readAction(entry, [], reading);
    if (action?.spec === undefined) continue;
    calls.push({ type: action.type.name, spec: action.spec });
    if (action.type.readsOnly(action.spec)) continue;
    reading.problems.add(
      action.tree.keyLocation,
      `"${action.type.name}" changes something here; evidence may only read`,
    );
  }
  return calls;
}

function assemble(
  entry: Tree,
  keys: RemediationKeys,
  plugin: PluginEntry<ActionType> | undefined,
  evidence: readonly ActionCall[],
): Remediation {
  return {
    name: keys.name,
    title: keys.title ?? keys.name,
    type: plugin?.type.name ?? '',
    spec: plugin?.spec,
    ...(keys.resource !== undefined && { resource: keys.resource }),
    timeoutMs: keys.timeout,
    settleMs: keys.settle,
    verifyWithinMs: keys.verify_within,
    cooldownMs: keys.cooldown,
    limit: keys.limit,
    mode: keys.mode,
    idempotent: keys.idempotent,
    evidence,
    unset: unsetNames(entry),
    location: entry.location,
  };
}
