/**
 * A stage for end-to-end tests: a home, a service that can be broken, a Slack and a webhook receiver, and the daemon.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHome, type Daemon, type DaemonOptions, freePort, type Home, startDaemon } from './daemon.ts';
import { type FakeSlack, startFakeSlack } from './fake-slack.ts';
import { type Service, startService } from './service.ts';

export interface Stage {
  readonly home: Home;
  readonly slack: FakeSlack;
  readonly service: Service;
  readonly port: number;
  /** Starts the daemon, or starts it again. */
  start(options?: Partial<DaemonOptions>): Promise<Daemon>;
  /** Ends everything, in reverse order; never throws away an error of the test. */
  close(): Promise<void>;
}

/** Made up at run time: nothing that looks like a token stands in a file. */
export const TEST_TOKEN = ['xoxb', 'stage', 'token'].join('-');

export const BRAINSTEM_YML = `
http: { listen: "\${LISTEN}" }
log: { level: debug }
alerts: { flapping: 1000 in 10m }
notifiers:
  oncall: { burst: 1000, slack: { token: "\${SLACK_BOT_TOKEN}", channel: "ops", api_url: "\${SLACK_API_URL}" } }
`;

/** A service probed every 300 ms, healed by a restart. `more` is added to the probe, `fix` to the remediation. */
export function definitionsOf(service: Service, more = '', fix = ''): Record<string, string> {
  const argv = JSON.stringify(service.restartArgv);
  return {
    'brainstem.yml': BRAINSTEM_YML,
    'probes/service.yaml': `
probes:
  - name: service
    http: { url: "${service.url}" }
    every: 300ms
    timeout: 300ms
    fail_after: 2
    recover_after: 2
    severity: critical
    remediate: [{ try: [restart-service] }]
${more}`,
    'remediations/service.yaml': `
remediations:
  - name: restart-service
    exec: { argv: ${argv} }
    timeout: 10s
    settle: 300ms
    verify_within: 10s
    cooldown: 1s
    limit: 100 in 1h
${fix}`,
  };
}

export async function setStage(more = '', fix = ''): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-stage-'));
  const slack = await startFakeSlack({ journal: join(folder, 'slack.jsonl'), token: TEST_TOKEN });
  const service = await startService(folder, await freePort());
  const home = await createHome(definitionsOf(service, more, fix));
  const port = await freePort();
  const environment = { SLACK_BOT_TOKEN: TEST_TOKEN, SLACK_API_URL: slack.url };
  const daemons: Daemon[] = [];
  return {
    ...{ home, slack, service, port },
    async start(options = {}) {
      const daemon = await startDaemon({
        home,
        port,
        ...options,
        environment: { ...environment, ...options.environment },
      });
      daemons.push(daemon);
      return daemon;
    },
    async close() {
      for (const daemon of daemons) await daemon.kill();
      await service.stop();
      await slack.close();
      await home.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
