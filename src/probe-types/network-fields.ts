/** Fields that several network probe types observe. */
import type { FieldDeclaration } from '../model.ts';
import type { Phase } from './failure.ts';

export const ipField: FieldDeclaration = {
  type: 'string',
  summary: 'Address that was connected to, or that was tried last',
};

export const tlsField: FieldDeclaration = {
  type: {
    version: { type: 'string', summary: 'Protocol version, such as TLS 1.3' },
    cipher: { type: 'string', summary: 'Cipher suite, IANA name' },
  },
  summary: 'The TLS session',
};

/** Declares `phases` with what happens in each. */
export function phaseFields(phases: Partial<Record<Phase, string>>): FieldDeclaration {
  const type: Record<string, FieldDeclaration> = {};
  for (const [phase, summary] of Object.entries(phases)) type[`${phase}_ms`] = { type: 'double', unit: 'ms', summary };
  return { type, summary: 'How long each phase took' };
}
