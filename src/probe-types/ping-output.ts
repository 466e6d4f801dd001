/** What `ping` of iputils printed, as an observation. Everything else is said to be something else. */
import type { Fields } from '../model.ts';
import type { ProbeOutput } from '../ports.ts';
import type { ChildResult } from '../shared/child-process.ts';

/** ping(8): 0 there were replies, 1 there were none, 2 anything else. */
const NO_REPLY = 1;

/** `3 packets transmitted, 2 received, +1 errors, 33.3% packet loss, time 406ms` */
const COUNTS = /^(\d{1,6}) packets transmitted, (\d{1,6}) received,.*% packet loss, time (\d{1,9})ms/m;
const ROUND_TRIPS = /^rtt min\/avg\/max\/mdev = (\d+\.\d+)\/(\d+\.\d+)\/(\d+\.\d+)\/\d+\.\d+ ms/m;
const REPLY = /^\d+ bytes from [^ ]+ icmp_seq=\d+ ttl=(\d{1,3})\b/gm;
/** `From 192.0.2.1 icmp_seq=1 Destination Host Unreachable` */
const ICMP_ERROR = /^From ([^ ]+) icmp_seq=\d+ (.+)$/m;
/** What the kernel says when there is no way to send at all. */
const NO_ROUTE =
  /[Mm]essage too long|Network is unreachable|No route to host|Cannot assign requested address|Invalid argument/;
const NOT_PERMITTED = /Operation not permitted|Permission denied/;

/** Without the right ping nothing is known about the host: `internal`. */
export function judgePing(result: ChildResult): ProbeOutput {
  if (result.kind === 'killed') return failed('timeout', 'no reply before the deadline');
  if (result.kind === 'not_started') {
    if (result.code === 'aborted') return failed('timeout', result.error);
    return failed('internal', `ping cannot be run (${result.error}); the package iputils-ping brings it`);
  }
  const { exitCode, signal, stdout, stderr } = result;
  const seen = signal === undefined && exitCode <= NO_REPLY ? readOutput(stdout.text) : undefined;
  if (!seen) return refused(stderr.text.trim() || stdout.text.trim(), exitCode);
  if (Number(seen['received']) > 0) return { reason: 'ok', fields: seen, latencyMs: Number(seen['rtt_avg_ms']) };
  return { ...unanswered(stdout.text, stderr.text, Number(seen['sent'])), fields: seen };
}

/** undefined: iputils would have printed something else. */
function readOutput(text: string): Fields | undefined {
  const [, sent, received, span] = (COUNTS.exec(text) ?? []).map(Number);
  const trips = ROUND_TRIPS.exec(text)?.slice(1).map(Number);
  if (sent === undefined || received === undefined || sent < 1 || received > sent) return undefined;
  if (received > 0 && !trips) return undefined;
  return {
    packet_loss: (sent - received) / sent,
    sent,
    received,
    span_ms: span,
    ...(trips && { rtt_min_ms: trips[0], rtt_avg_ms: trips[1], rtt_max_ms: trips[2] }),
    ...lastHopLimit(text),
  };
}

function lastHopLimit(text: string): Fields {
  const limit = [...text.matchAll(REPLY)].at(-1)?.[1];
  return limit === undefined ? {} : { hop_limit: Number(limit) };
}

/** Somebody on the way, or our own kernel, may have said why. */
function unanswered(stdout: string, stderr: string, sent: number): Pick<ProbeOutput, 'reason' | 'error'> {
  const [, router, why] = ICMP_ERROR.exec(stdout) ?? [];
  if (why !== undefined) return { reason: 'unreachable', error: `${why}, says ${router}` };
  if (NO_ROUTE.test(stderr) || NOT_PERMITTED.test(stderr)) return { reason: 'unreachable', error: lastLine(stderr) };
  return { reason: 'timeout', error: `no reply to ${sent} echo ${sent === 1 ? 'request' : 'requests'}` };
}

/** ping ended without a result. */
function refused(said: string, exitCode: number): ProbeOutput {
  // BusyBox knows no fractions of a second.
  if (/BusyBox|invalid number/.test(said)) {
    return failed(
      'internal',
      "the ping on PATH is BusyBox's, which tells too little; the package iputils-ping brings one",
    );
  }
  if (NO_ROUTE.test(said)) return failed('unreachable', lastLine(said));
  if (NOT_PERMITTED.test(said)) {
    const ways = 'setcap cap_net_raw+ep $(which ping), or widen net.ipv4.ping_group_range';
    return failed('internal', `ping is not permitted to send (${lastLine(said)}): ${ways}`);
  }
  const ended = `ping ended with exit code ${exitCode} and said: ${lastLine(said) || 'nothing'}`;
  return failed('internal', `${ended}; that of the package iputils-ping is understood`);
}

function failed(reason: ProbeOutput['reason'], error: string): ProbeOutput {
  return { reason, fields: {}, error };
}

function lastLine(text: string): string {
  return (text.trimEnd().split('\n').at(-1) ?? '').replace(/^ping: /, '').slice(0, 200);
}
