/**
 * A hundred targets that are probed every second, fixes for some of them, a webhook receiver, a real PostgreSQL as the
 * store, and the daemon. What the targets were when, the arena knows by itself: the daemon is judged by it.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Daemon, freePort, homeAt, startDaemon } from '../../estate/daemon.ts';
import { type PostgresServer, startPostgres } from '../../estate/postgres.ts';
import { type Receiver, startReceiver } from '../../estate/receiver.ts';
import { startTargets, type Targets } from '../../estate/targets.ts';

/** Break now and then, and are mended by the campaign. */
export const MOODY = Array.from({ length: 8 }, (_, index) => `moody-${index}`);
/** Break now and then, and are mended by their fix alone. */
export const HEALED = ['healed-0', 'healed-1'] as const;
/** Never break. */
export const STEADY = Array.from({ length: 90 }, (_, index) => `steady-${index}`);

/** Generous: on a busy machine a target that is well must not look slow. */
export const EVERY_MS = 1_000;
export const TIMEOUT_MS = 1_000;

export interface Arena {
  readonly url: string;
  readonly postgres: PostgresServer;
  readonly targets: Targets;
  readonly bus: Receiver;
  start(): Promise<Daemon>;
  /** Ends everything that it started. The folder stays. */
  close(): Promise<void>;
}

/** In a folder that outlives a piece of the campaign. */
export async function openArena(folder: string): Promise<Arena> {
  const bus = await startReceiver({ journal: join(folder, 'bus.jsonl') });
  const targets = await startTargets();
  const postgres = await startPostgres([NO_FSYNC], { folder: join(folder, 'postgres') });
  const url = await postgres.createDatabase('brainstem');
  const home = homeAt(join(folder, 'home'));
  await home.write({
    'brainstem.yml': SETTINGS,
    'probes/targets.yaml': `probes:\n${[...MOODY, ...HEALED, ...STEADY].map((name) => probe(name, targets)).join('')}`,
    'remediations/targets.yaml': `remediations:\n${HEALED.map((name) => remediation(name, targets)).join('')}`,
  });
  const daemons: Daemon[] = [];
  return {
    ...{ url, postgres, targets, bus },
    async start() {
      const environment = { STORE_URL: url, BUS_URL: bus.url };
      const daemon = await startDaemon({ home, port: await freePort(), environment });
      daemons.push(daemon);
      return daemon;
    },
    async close() {
      for (const daemon of daemons) {
        await daemon.kill();
        await writeFile(
          join(folder, `daemon-${daemon.pid}.jsonl`),
          daemon.log.map((line) => JSON.stringify(line)).join('\n'),
        );
      }
      await targets.close();
      await bus.close();
      await postgres.stop();
    },
  };
}

/** A kill of the process loses nothing that was handed to the kernel, and the disk of a test is not to be waited for. */
const NO_FSYNC = 'fsync=off';

const SETTINGS = `
http: { listen: "\${LISTEN}" }
store: { url: "\${STORE_URL}" }
log: { level: debug }
healing: { budget: 10000 in 1h }
notifiers: { bus: { burst: 1000, webhook: { url: "\${BUS_URL}" } } }
`;

function probe(name: string, targets: Targets): string {
  const ladder = isHealed(name) ? `\n    remediate: [{ try: [{ name: mend-${name}, tries: 100 }] }]` : '';
  return `
  - name: ${name}
    http: { url: "${targets.url(name)}" }
    every: ${EVERY_MS}ms
    timeout: ${TIMEOUT_MS}ms
    fail_after: 2
    recover_after: 2
    relapse: 1s${ladder}
`;
}

function remediation(name: string, targets: Targets): string {
  return `
  - name: mend-${name}
    exec: { argv: ${targets.fix(`mend-${name}`, name, 'mends')} }
    timeout: 10s
    verify_within: 10s
    cooldown: 200ms
    limit: 10000 in 1h
`;
}

export function isHealed(name: string): boolean {
  return (HEALED as readonly string[]).includes(name);
}
