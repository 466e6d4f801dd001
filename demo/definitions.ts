/**
 * The files of the demo's home, as a person would write them: one probe, one fix, one channel.
 */
import type { Service } from '../test/estate/service.ts';

export const PROBE = 'shop';
export const PROBE_FILE = 'probes/shop.yaml';

/** How fast everything goes. */
export interface Pace {
  readonly every: string;
  readonly timeout: string;
  /** Warm-up after the fix. */
  readonly settle: string;
}

const BRAINSTEM_YML = `
http: { listen: "\${LISTEN}" }
notifiers:
  oncall-slack:
    slack: { token: "\${SLACK_BOT_TOKEN}", channel: "#ops", api_url: "\${SLACK_API_URL}" }
    burst: 1000 # the demo breaks more in a minute than a day should bring
`;

export function homeFiles(service: Service, pace: Pace): Record<string, string> {
  return {
    'brainstem.yml': BRAINSTEM_YML,
    [PROBE_FILE]: probeFile(service, pace, '0s'),
    'remediations/shop.yaml': remediationFile(service, pace),
  };
}

/** `relapse: 0s`: each fault is an incident of its own, however soon it follows. */
export function probeFile({ url }: Service, { every, timeout }: Pace, pageAfter: string): string {
  return `
probes:
  - name: ${PROBE}
    title: Shop
    http: { url: "${url}" }
    expect:
      - status == 200
      - json.status == "operational"
    every: ${every}
    timeout: ${timeout}
    fail_after: 2
    recover_after: 2
    severity: critical
    remediate: [{ try: [restart-shop] }]
    page_after: ${pageAfter}
    relapse: 0s
`;
}

/** `idempotent`: a restart that a crash interrupted may follow again, once it is proven that it did not heal. */
function remediationFile({ restartArgv }: Service, { settle }: Pace): string {
  return `
remediations:
  - name: restart-shop
    title: Restart the shop
    exec: { argv: ${JSON.stringify(restartArgv)} }
    timeout: 10s
    settle: ${settle}
    verify_within: 30s
    cooldown: 1s
    limit: 20 in 1h
    idempotent: true
`;
}
