/** Which daemon a command talks to: the one that is named, else that of the home. */
import type { Address } from './client.ts';
import type { CliIo } from './io.ts';

/** `--url`, else BRAINSTEM_URL with BRAINSTEM_TOKEN, else what brainstem.yml says. Errors: ConfigurationError. */
export async function addressOf(
  { url: named, home }: { readonly url?: string; readonly home: string },
  { environment }: CliIo,
): Promise<Address> {
  const given = named ?? nonEmpty(environment['BRAINSTEM_URL']);
  const token = nonEmpty(environment['BRAINSTEM_TOKEN']);
  const user = nonEmpty(environment['USER']) ?? nonEmpty(environment['LOGNAME']);
  const who = user === undefined ? {} : { user };
  if (given !== undefined) return { url: given.replace(/\/+$/, ''), ...who, ...(token !== undefined && { token }) };
  // Loaded only when asked for: it brings every plug-in along.
  const [{ loadSettings }, { registries }] = await Promise.all([
    import('../config/load.ts'),
    import('../registries.ts'),
  ]);
  const { http } = await loadSettings(home, { registries, environment });
  const known = token ?? http.token;
  return { url: localUrl(http.host, http.port), ...who, ...(known !== undefined && { token: known }) };
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/** A daemon that listens everywhere is reached on loopback. */
function localUrl(host: string, port: number): string {
  if (host === '0.0.0.0') return `http://127.0.0.1:${port}`;
  if (host === '::') return `http://[::1]:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
