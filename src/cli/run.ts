/**
 * `brainstem run`: the daemon, in the foreground.
 */
import { type App, type AppOptions, createApp } from '../app.ts';
import { ConfigurationError, codeOf, formatProblem, messageOf } from '../errors.ts';
import { createLog } from '../log.ts';
import { createRedactor } from '../redact.ts';
import { counted } from '../words.ts';
import type { CliIo } from './io.ts';

export interface RunParts extends Pick<AppOptions, 'home' | 'clock' | 'version' | 'random' | 'process'> {
  /** Resolves at the first of SIGTERM and SIGINT. */
  readonly terminated: Promise<NodeJS.Signals>;
  onHangup(reload: () => void): void;
}

/** Exit code: 0 after a clean stop, 1 when it could not start, or not go on. */
export async function run(parts: RunParts, io: CliIo): Promise<number> {
  const redactor = createRedactor();
  const app = createApp({
    ...parts,
    environment: io.environment,
    redactor,
    createLog: ({ settings }, shipper) =>
      createLog({
        ...{ level: settings.log.level, pretty: io.isTerminal, color: io.color, redactor },
        ...(shipper && { shipper }),
      }),
  });
  // From the start on: a hangup would end a process that does not listen for it.
  parts.onHangup(() => void hangup(app));
  // A start may wait for its turn in a cluster as long as it takes.
  void parts.terminated.then(() => app.withdraw());
  try {
    const started = await app.start();
    if (!started) return 0;
    const { url, probes, configuration } = started;
    if (io.isTerminal)
      io.out(
        `Brainstem watches ${counted(probes, 'probe')}. Console: ${configuration.settings.http.publicUrl || url}\n`,
      );
  } catch (error) {
    io.err(redactor.redact(startError(error)));
    return 1;
  }
  const end = await Promise.race([parts.terminated, app.failed]);
  await app.stop();
  if (!(end instanceof Error)) return 0;
  io.err(redactor.redact(`brainstem ends: ${messageOf(end)}\n`));
  return 1;
}

/** The outcome is logged by the app; a reload that breaks in an unforeseen way must not end the daemon. */
async function hangup(app: App): Promise<void> {
  await app.reload('SIGHUP').catch(() => undefined);
}

function startError(error: unknown): string {
  if (!(error instanceof ConfigurationError)) return `brainstem could not start: ${messageOf(error)}${advice(error)}\n`;
  const count = counted(error.problems.length, 'problem');
  return `${error.problems.map(formatProblem).join('\n')}\nbrainstem could not start: ${count} in the files above\n`;
}

/** What to do about an address that cannot be listened on. */
function advice(error: unknown): string {
  const code = codeOf(error);
  if (code === 'EADDRINUSE') return '; end what listens there, or set another address in brainstem.yml: http.listen';
  return code === 'EADDRNOTAVAIL' ? '; set an address of this machine in brainstem.yml: http.listen' : '';
}
