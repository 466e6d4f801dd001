/**
 * A session with an AMQP 0-9-1 broker over an open connection: login, virtual host, and queues that are only looked at.
 *
 * Not amqplib: it connects by itself, past the probe's deadline, and throws from the event loop at a frame it does not expect.
 */
import type { Reason } from '../model.ts';
import {
  byte,
  long,
  longText,
  MAX_FRAME_BYTES,
  METHOD,
  type Method,
  methodFrame,
  PROTOCOL_HEADER,
  readLongText,
  readMethod,
  readShortText,
  readTexts,
  short,
  shortText,
  table,
} from './amqp-frames.ts';
import type { ByteCursor } from './byte-cursor.ts';
import { ProbeFailure } from './failure.ts';
import type { Wire } from './wire.ts';

/** Reply codes (1.3 of the specification) that say more than that the protocol was broken. */
const REPLY_REASONS: Readonly<Record<number, Reason>> = {
  320: 'unhealthy', // closed by an operator
  402: 'not_found', // no such virtual host
  403: 'auth',
  404: 'not_found',
  405: 'auth', // exclusive to another connection
  406: 'body',
  506: 'saturated',
  530: 'auth', // not allowed
  541: 'unhealthy',
};

/** 530 is the one code for three things; RabbitMQ tells them apart in words alone. */
const NOT_ALLOWED: readonly (readonly [RegExp, Reason])[] = [
  [/^NOT_ALLOWED - vhost \S+ not found/, 'not_found'],
  [/limit \(\d+\) is reached/, 'saturated'],
];

function explainAmqp(content: ByteCursor): { readonly reason: Reason; readonly message: string } {
  const code = content.short();
  const text = readShortText(content);
  const worded = code === 530 ? NOT_ALLOWED.find(([pattern]) => pattern.test(text))?.[1] : undefined;
  return { reason: worded ?? REPLY_REASONS[code] ?? 'protocol', message: `${text} (${code})` };
}

/** The broker refuses one queue; the session goes on. */
export class QueueRefusal extends ProbeFailure {}

export interface Login {
  readonly user: string;
  readonly password: string;
  readonly virtualHost: string;
}

/** The frames of a login: they are the same at each run. */
export interface LoginFrames {
  readonly startOk: Buffer;
  readonly open: Buffer;
}

export function loginFrames({ user, password, virtualHost }: Login): LoginFrames {
  const about = {
    product: 'Brainstem',
    // Else a wrong password would be answered by closing the connection without a word.
    capabilities: { authentication_failure_close: true },
  } as const;
  const proof = [shortText('PLAIN'), longText(`\0${user}\0${password}`), shortText('en_US')];
  return {
    startOk: methodFrame(0, METHOD.connectionStartOk, table(about), ...proof),
    open: methodFrame(0, METHOD.connectionOpen, shortText(virtualHost), shortText(''), byte(0)),
  };
}

export interface QueueFigures {
  readonly depth: number;
  readonly consumers: number;
}

const CHANNEL = 1;
/** With the code for success. */
const CLOSE = methodFrame(0, METHOD.connectionClose, short(200), shortText(''), short(0), short(0));

export class AmqpSession {
  readonly #wire: Wire;
  #hasChannel = false;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Resolves with what the broker tells about itself: product, version, cluster_name … */
  async open(login: LoginFrames): Promise<ReadonlyMap<string, string>> {
    this.#wire.write(PROTOCOL_HEADER);
    const { content } = await this.#expect(METHOD.connectionStart);
    content.short(); // version of the protocol
    const told = readTexts(content);
    const mechanisms = readLongText(content);
    if (!mechanisms.split(' ').includes('PLAIN')) {
      throw new ProbeFailure('auth', `it takes no user name and password (PLAIN), but ${mechanisms.slice(0, 100)}`);
    }
    this.#wire.write(login.startOk);
    const tune = (await this.#expect(METHOD.connectionTune)).content;
    const channels = tune.short();
    // No heartbeats: the run has an end.
    const limits = [short(channels), long(frameLimit(tune.long())), short(0)];
    this.#wire.write(Buffer.concat([methodFrame(0, METHOD.connectionTuneOk, ...limits), login.open]));
    await this.#expect(METHOD.connectionOpenOk);
    return told;
  }

  /** Messages that are ready, and consumers. Rejects with a QueueRefusal, after which another queue may be asked for. */
  async look(queue: string): Promise<QueueFigures> {
    if (!this.#hasChannel) {
      this.#send(CHANNEL, METHOD.channelOpen, shortText(''));
      await this.#expect(METHOD.channelOpenOk);
      this.#hasChannel = true;
    }
    this.#send(CHANNEL, METHOD.queueDeclare, short(0), shortText(queue), byte(PASSIVE), table({}));
    const { content } = await this.#expect(METHOD.queueDeclareOk);
    readShortText(content);
    return { depth: content.long(), consumers: content.long() };
  }

  /** Takes leave, so that the broker does not complain of a connection that was cut. */
  async close(): Promise<void> {
    this.#wire.write(CLOSE);
    await this.#expect(METHOD.connectionCloseOk);
  }

  #send(channel: number, id: number, ...content: readonly Buffer[]): void {
    this.#wire.write(methodFrame(channel, id, ...content));
  }

  async #expect(id: number): Promise<Method> {
    const method = await this.#wire.read(readMethod);
    if (method.id === id) return method;
    if (method.id === METHOD.connectionClose) {
      this.#send(0, METHOD.connectionCloseOk);
      const { reason, message } = explainAmqp(method.content);
      throw new ProbeFailure(reason, message);
    }
    if (method.id === METHOD.channelClose) {
      this.#send(CHANNEL, METHOD.channelCloseOk);
      this.#hasChannel = false;
      const { reason, message } = explainAmqp(method.content);
      throw new QueueRefusal(reason, message);
    }
    throw new ProbeFailure('protocol', `it answers out of turn (${method.id >>> 16}, ${method.id & 0xffff})`);
  }
}

/** Asks for a queue without making one. */
const PASSIVE = 1;

/** 0 stands for no limit of its own. */
function frameLimit(offered: number): number {
  return offered === 0 ? MAX_FRAME_BYTES : Math.min(offered, MAX_FRAME_BYTES);
}
