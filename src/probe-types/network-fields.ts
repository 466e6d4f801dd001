/** Fields that several network probe types observe. */
import type { FieldDeclaration } from '../model.ts';
import type { Phase } from './failure.ts';

export const ipField: FieldDeclaration = { type: 'string', summary: 'Address that was connected to' };

/** Declares `phases` with what happens in each. */
export function phaseFields(phases: Partial<Record<Phase, string>>): FieldDeclaration {
  const type: Record<string, FieldDeclaration> = {};
  for (const [phase, summary] of Object.entries(phases)) type[`${phase}_ms`] = { type: 'double', unit: 'ms', summary };
  return { type, summary: 'How long each phase took' };
}
