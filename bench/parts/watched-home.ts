/** A home that watches many HTTP paths, and the daemon on it. */
import { createHome, type Daemon, startDaemon } from '../../test/estate/daemon.ts';
import type { Cleanup } from './cleanups.ts';

export interface Watched {
  readonly name: string;
  readonly url: string;
  /** `address:port` of the name server that resolves it. */
  readonly resolver?: string;
}

/** `count` paths of a kind: `plain-0`, `plain-1` … */
export function watch(kind: string, count: number, origin: (index: number) => string): Watched[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `${kind}-${index}`,
    url: `${origin(index)}/${kind}/${index}`,
  }));
}

/** Runs the built daemon with default settings on SQLite and no notifier. */
export async function startWatching(
  probes: readonly Watched[],
  every: string,
  later: (cleanup: Cleanup) => void,
): Promise<Daemon> {
  const home = await createHome({
    'brainstem.yml': 'http: { listen: "${LISTEN}" }\n',
    'probes/bench.yaml': probesYaml(probes, every),
  });
  later(() => home.remove());
  const daemon = await startDaemon({ home, nodeArguments: AS_INSTALLED });
  later(() => daemon.stop());
  return daemon;
}

/** The flags of the program's first line and of `npm start`. */
const AS_INSTALLED = ['--max-semi-space-size=1', '--heap-growing-percent=20'];

function probesYaml(probes: readonly Watched[], every: string): string {
  const entries = probes.map(({ name, url, resolver }) => {
    const http = JSON.stringify(resolver === undefined ? { url } : { url, resolver });
    return `  - { name: ${name}, http: ${http}, expect: ["status == 200"] }\n`;
  });
  return `defaults: { every: ${every} }\nprobes:\n${entries.join('')}`;
}
