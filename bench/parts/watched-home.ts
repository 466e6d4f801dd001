/** A home that watches many HTTP paths, and the daemon on it. */
import { readFile } from 'node:fs/promises';
import { createHome, type Daemon, type DaemonOptions, startDaemon } from '../../test/estate/daemon.ts';
import type { Cleanup } from './cleanups.ts';

export interface Watched {
  readonly name: string;
  readonly url: string;
  /** `address:port` of the name server that resolves it. */
  readonly resolver?: string;
}

const PROGRAM = new URL('../../dist/main.js', import.meta.url).pathname;

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
  more: Pick<DaemonOptions, 'nodeArguments' | 'environment'> = {},
): Promise<Daemon> {
  const home = await createHome({
    'brainstem.yml': 'http: { listen: "${LISTEN}" }\n',
    'probes/bench.yaml': probesYaml(probes, every),
  });
  later(() => home.remove());
  const installed = await asInstalled();
  const daemon = await startDaemon({
    home,
    nodeArguments: [...installed.nodeArguments, ...(more.nodeArguments ?? [])],
    environment: { ...installed.environment, ...more.environment },
  });
  later(() => daemon.stop());
  return daemon;
}

/** What the program's first line says: variables, and flags of Node. */
export async function asInstalled() {
  const [firstLine = ''] = (await readFile(PROGRAM, 'utf8')).split('\n', 1);
  const [, variables, flags] = /^#!\/usr\/bin\/env -S (.*)\bnode (.*)$/.exec(firstLine) ?? [];
  if (variables === undefined || flags === undefined) throw new Error(`${PROGRAM} begins with ${firstLine}`);
  const environment = Object.fromEntries(
    variables
      .trim()
      .split(' ')
      .map((each) => each.split('=', 2)),
  );
  return { environment: environment as Record<string, string>, nodeArguments: flags.split(' ') };
}

function probesYaml(probes: readonly Watched[], every: string): string {
  const entries = probes.map(({ name, url, resolver }) => {
    const http = JSON.stringify(resolver === undefined ? { url } : { url, resolver });
    return `  - { name: ${name}, http: ${http}, expect: ["status == 200"] }\n`;
  });
  return `defaults: { every: ${every} }\nprobes:\n${entries.join('')}`;
}
