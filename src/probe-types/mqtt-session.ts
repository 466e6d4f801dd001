/**
 * A session with an MQTT broker over an open connection.
 *
 * Not the `mqtt` package: it connects and reconnects by itself, past the probe's deadline.
 */
import { randomBytes } from 'node:crypto';
import { ProbeFailure } from './failure.ts';
import { explainMqtt, explainSubscription } from './mqtt-failure.ts';
import {
  codeOfPacket,
  connectPacket,
  disconnectPacket,
  grantsOf,
  type Level,
  type Login,
  PACKET,
  type Packet,
  publicationOf,
  publishPacket,
  readPacket,
  subscribePacket,
} from './mqtt-packets.ts';
import type { Wire } from './wire.ts';

/** Of a payload: so many bytes become text. */
const MAX_TEXT_BYTES = 64 * 2 ** 10;

const AFTER_LOGIN = [PACKET.publish, PACKET.suback, PACKET.disconnect];

export class MqttSession {
  readonly #wire: Wire;
  readonly #level: Level;
  /** What came on each topic, the last message. */
  readonly #messages = new Map<string, string>();
  #granted: readonly number[] | undefined;

  constructor(wire: Wire, level: Level) {
    this.#wire = wire;
    this.#level = level;
  }

  async logIn(login: Login): Promise<void> {
    this.#wire.write(connectPacket(this.#level, login));
    const answer = await this.#wire.read((incoming) => readPacket(incoming, [PACKET.connack]));
    const code = codeOfPacket(answer);
    if (code !== 0) throw explainMqtt(code);
  }

  async subscribe(topics: readonly string[]): Promise<void> {
    this.#wire.write(subscribePacket(this.#level, topics));
    while (!this.#granted) await this.#receive();
    for (const [index, topic] of topics.entries()) {
      const code = this.#granted[index] ?? 0x80;
      if (code >= 0x80) throw explainSubscription(code, topic);
    }
  }

  /** Waits for a message on each of these topics, retained or new. */
  async gather(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const missing = () => topics.filter((topic) => !this.#messages.has(topic));
    try {
      while (missing().length > 0) await this.#receive();
    } catch (error) {
      throw atDeadline(error, `no message came before the deadline on ${missing().join(', ')}`);
    }
    return this.#messages;
  }

  /** Publishes a message of its own and waits until it comes back. */
  async roundTrip(topic: string): Promise<void> {
    const payload = `brainstem ${randomBytes(12).toString('hex')}`;
    this.#wire.write(publishPacket(this.#level, topic, payload));
    try {
      while (this.#messages.get(topic) !== payload) await this.#receive();
    } catch (error) {
      throw atDeadline(error, `what was published to ${topic} did not come back before the deadline`);
    }
  }

  leave(): void {
    this.#wire.write(disconnectPacket());
  }

  async #receive(): Promise<void> {
    const packet = await this.#wire.read((incoming) => readPacket(incoming, AFTER_LOGIN));
    if (packet.type === PACKET.publish) this.#note(packet);
    if (packet.type === PACKET.suback) this.#granted = grantsOf(packet, this.#level);
    if (packet.type === PACKET.disconnect) throw explainMqtt(codeOfPacket(packet));
  }

  #note(packet: Packet): void {
    const { topic, payload } = publicationOf(packet, this.#level);
    this.#messages.set(topic, payload.toString('utf8', 0, MAX_TEXT_BYTES));
  }
}

/** The same failure; when it was the deadline, with what was waited for. */
function atDeadline(error: unknown, message: string): unknown {
  const isDeadline = error instanceof ProbeFailure && error.reason === 'timeout';
  return isDeadline ? new ProbeFailure('timeout', message, { cause: error }) : error;
}
