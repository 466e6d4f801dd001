/**
 * The demo's world: a service that can be broken, a fake Slack, a home in a temporary folder, and the daemon.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHome, type Daemon, freePort, type Home, startDaemon } from '../test/estate/daemon.ts';
import { type FakeSlack, startFakeSlack } from '../test/estate/fake-slack.ts';
import { type Service, startService } from '../test/estate/service.ts';
import { homeFiles, type Pace } from './definitions.ts';

export interface Stage {
  readonly pace: Pace;
  readonly service: Service;
  readonly slack: FakeSlack;
  readonly home: Home;
  /** The one that runs now. */
  daemon(): Daemon;
  /** kill -9, and a new start on the same home and port. */
  crash(): Promise<void>;
  /** Ends everything in reverse order and deletes what it wrote; all of it is tried, whatever fails. */
  close(): Promise<void>;
}

/** Nothing that looks like a token stands in a file. */
const TOKEN = ['xoxb', 'demo', 'token'].join('-');

type Cleanup = () => Promise<unknown>;

/** Errors: whatever could not be started; what was started before it is ended. */
export async function setStage(pace: Pace): Promise<Stage> {
  const cleanups: Cleanup[] = [];
  try {
    return await start(pace, cleanups);
  } catch (error) {
    await cleanUp(cleanups);
    throw error;
  }
}

async function start(pace: Pace, cleanups: Cleanup[]): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-demo-'));
  cleanups.push(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  const slack = await startFakeSlack({ journal: join(folder, 'slack.jsonl'), token: TOKEN });
  cleanups.push(() => slack.close());
  const service = await startService(folder, await freePort());
  cleanups.push(() => service.stop());
  const home = await createHome(homeFiles(service, pace));
  cleanups.push(() => home.remove());
  const port = await freePort();
  const environment = { SLACK_BOT_TOKEN: TOKEN, SLACK_API_URL: slack.url };
  let daemon = await startDaemon({ home, port, environment });
  cleanups.push(() => daemon.stop());
  return {
    ...{ pace, service, slack, home },
    daemon: () => daemon,
    async crash() {
      await daemon.kill();
      daemon = await startDaemon({ home, port, environment });
    },
    close: () => cleanUp(cleanups),
  };
}

async function cleanUp(cleanups: Cleanup[]): Promise<void> {
  const errors: unknown[] = [];
  for (const cleanup of cleanups.splice(0).reverse()) {
    await cleanup().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw new AggregateError(errors, 'the demo could not end all that it had started');
}
