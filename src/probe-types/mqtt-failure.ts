/** What the codes of MQTT mean with which a broker refuses. */
import type { Reason } from '../model.ts';
import { ProbeFailure } from './failure.ts';

type Refusals = Readonly<Record<number, readonly [Reason, string]>>;

/** CONNACK of 3.1.1, 3.2.2.3. */
const RETURN_CODES: Refusals = {
  1: ['protocol', 'it does not speak this version of MQTT'],
  2: ['auth', 'it does not accept the client id'],
  3: ['unhealthy', 'the MQTT service is unavailable'],
  4: ['auth', 'wrong user name or password'],
  5: ['auth', 'not authorized'],
};

/** 5.0, 2.4; those of 3.1.1's SUBACK among them. */
const REASON_CODES: Refusals = {
  128: ['protocol', 'unspecified error'],
  129: ['protocol', 'malformed packet'],
  130: ['protocol', 'protocol error'],
  132: ['protocol', 'it does not speak this version of MQTT'],
  133: ['auth', 'it does not accept the client id'],
  134: ['auth', 'wrong user name or password'],
  135: ['auth', 'not authorized'],
  136: ['unhealthy', 'the server is unavailable'],
  137: ['saturated', 'the server is busy'],
  138: ['auth', 'banned'],
  139: ['unhealthy', 'the server is shutting down'],
  140: ['auth', 'bad authentication method'],
  142: ['protocol', 'another client has taken over the client id'],
  143: ['body', 'it does not accept the topic'],
  151: ['saturated', 'quota exceeded'],
  156: ['unhealthy', 'use another server'],
  157: ['unhealthy', 'the server has moved'],
  159: ['saturated', 'connection rate exceeded'],
};

export function explainMqtt(code: number): ProbeFailure {
  const [reason, text] = RETURN_CODES[code] ?? REASON_CODES[code] ?? (['protocol', 'it refuses'] as const);
  return new ProbeFailure(reason, `${text} (${code})`);
}

/** A refusal to let us hear a topic. 3.1.1 has one code for whatever is the cause, which is nearly always permission. */
export function explainSubscription(code: number, topic: string): ProbeFailure {
  const reason = code === 128 ? 'auth' : explainMqtt(code).reason;
  return new ProbeFailure(reason, `may not subscribe to ${topic} (${code})`);
}
