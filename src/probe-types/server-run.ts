/** One run over one connection: what a probe observes of the connection, and how the run ends. */
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { z } from 'zod';
import type { FieldDeclarations } from '../model.ts';
import type { Context, ProbeOutput } from '../ports.ts';
import { certificateFields } from './certificate.ts';
import { failed, type Phase, ProbeFailure } from './failure.ts';
import { Lifeline } from './lifeline.ts';
import { ipField, phaseFields, tlsField } from './network-fields.ts';
import { createContextSource, type Seen, secure, type tlsOptions } from './secure.ts';

/** The phases of a run, with what happens in each. */
type PhaseSummaries = Partial<Record<Phase, string>>;

export const DATABASE_PHASES: PhaseSummaries = {
  resolve: 'Name resolution',
  connect: 'TCP connect',
  tls: 'TLS handshake',
  processing: 'Login and commands',
};

export function connectionFields(phases: PhaseSummaries): FieldDeclarations {
  return {
    phases: phaseFields(phases),
    certificate: { type: certificateFields, summary: "The server's certificate, also when it is not trusted" },
    tls: tlsField,
    ip: ipField,
  };
}

/** Where a run leaves what it learns, also when it fails later. */
export interface Findings {
  readonly seen: Seen;
  readonly fields: Record<string, unknown>;
}

/** @param work throws a ProbeFailure for what the outside world does; anything that it opened is closed afterwards. */
export async function runOverConnection(
  context: Context,
  phases: PhaseSummaries,
  work: (line: Lifeline, findings: Findings) => Promise<void>,
): Promise<ProbeOutput> {
  const line = new Lifeline(context);
  const findings: Findings = { seen: { ip: undefined, peer: undefined }, fields: {} };
  let failure: ProbeFailure | undefined;
  try {
    await work(line, findings);
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    failure = error;
  } finally {
    line.close();
  }
  const { fields, seen } = findings;
  fields['phases'] = line.phasesIn(phases);
  fields['certificate'] = seen.peer?.certificate;
  fields['tls'] = seen.peer?.tls;
  fields['ip'] = seen.ip;
  return failure ? { fields, ...failed(failure) } : { reason: 'ok', fields };
}

/** Shakes hands as a spec says. Made once for each spec. */
export type Guard = (socket: Socket, line: Lifeline, seen: Seen, now: number) => Promise<Socket>;

/** Guards of one probe type; all specs without options share one context, whose making parses all authorities. */
export function createGuards(protocols: readonly string[]) {
  let shared: SecureContext | undefined;
  const sharedContext = () => (shared ??= createSecureContext());
  return (host: string, tls: z.output<typeof tlsOptions> | undefined, insecure: boolean): Guard => {
    const contextOf = tls ? createContextSource(tls) : sharedContext;
    return (socket, line, seen, now) =>
      secure(socket, { host: tls?.server_name ?? host, context: contextOf(), insecure, protocols, now, seen }, line);
  };
}
