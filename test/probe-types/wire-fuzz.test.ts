/** Answers that are nearly right: whatever comes of them, it is an observation, in time. */
import { expect, test } from 'vitest';
import type { z } from 'zod';
import type { ProbeType } from '../../src/ports.ts';
import { long, longText, METHOD, methodFrame, short, shortText, table } from '../../src/probe-types/amqp-frames.ts';
import { mqtt } from '../../src/probe-types/mqtt.ts';
import { nats } from '../../src/probe-types/nats.ts';
import { rabbitmq } from '../../src/probe-types/rabbitmq.ts';
import { probe, serveRaw } from '../estate/hostile-network.ts';
import { seeded } from '../estate/seeded.ts';

const VARIANTS = 400;
const AT_ONCE = 40;
const TIMEOUT_MS = 150;

const bytes = (text: string) => Buffer.from(text, 'latin1');
const streamInfo = JSON.stringify({ state: { messages: 3, bytes: 30, consumer_count: 1 } });

/** What an honest server sends whenever something came; the first also unasked. */
const CONVERSATIONS: Record<string, [ProbeType, (port: number) => unknown, readonly Buffer[]]> = {
  nats: [
    nats as unknown as ProbeType,
    (port) => nats.spec.parse({ url: `nats://127.0.0.1:${port}`, stream: 'S' }),
    [
      bytes(`INFO ${JSON.stringify({ version: '2.9.10', max_payload: 1_048_576, jetstream: true })}\r\n`),
      bytes('PONG\r\n'),
      bytes('PONG\r\n'),
      bytes(`MSG _INBOX.x 1 ${streamInfo.length}\r\n${streamInfo}\r\n`),
    ],
  ],
  mqtt: [
    mqtt as unknown as ProbeType,
    (port) => mqtt.spec.parse({ url: `mqtt://127.0.0.1:${port}`, topics: ['a'], protocol: '5.0' }),
    [Buffer.alloc(0), bytes('\x20\x03\0\0\0'), bytes('\x90\x04\0\x01\0\0\x30\x08\0\x01a\0text')],
  ],
  rabbitmq: [
    rabbitmq as unknown as ProbeType,
    (port) => rabbitmq.spec.parse({ url: `amqp://127.0.0.1:${port}`, queues: ['q'] }),
    [
      Buffer.alloc(0),
      methodFrame(
        0,
        METHOD.connectionStart,
        ...[Buffer.from([0, 9]), table({ product: 'x', more: { yes: true } }), longText('PLAIN'), longText('en_US')],
      ),
      methodFrame(0, METHOD.connectionTune, short(0), long(0), short(60)),
      methodFrame(0, METHOD.connectionOpenOk, shortText('')),
      methodFrame(1, METHOD.channelOpenOk, longText('')),
      methodFrame(1, METHOD.queueDeclareOk, shortText('q'), long(3), long(1)),
      methodFrame(0, METHOD.connectionCloseOk),
    ],
  ],
};

test.each(Object.entries(CONVERSATIONS))(
  '%s',
  async (_name, [type, specOf, honest]) => {
    const random = seeded(20_261_128);
    const outcomes = new Map<string, number>();
    const { port } = await serveRaw((socket) => {
      const pieces = honest.map((piece) => (random() < 0.5 ? spoil(piece, random) : piece));
      socket.write(pieces.shift() ?? '');
      socket.on('data', () => {
        const piece = pieces.shift();
        if (piece) socket.write(piece);
      });
    });
    const run = async () => {
      const startedAt = performance.now();
      const spec = specOf(port) as z.output<z.ZodType>;
      const { reason } = await probe(type, spec, { timeoutMs: TIMEOUT_MS });
      expect(performance.now() - startedAt).toBeLessThan(TIMEOUT_MS + 2_000);
      outcomes.set(reason, (outcomes.get(reason) ?? 0) + 1);
    };
    for (let done = 0; done < VARIANTS; done += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, run));
    expect(outcomes.get('protocol')).toBeGreaterThan(20);
    expect(outcomes.get('timeout')).toBeGreaterThan(20);
  },
  60_000,
);

/** Changes, leaves out or adds a few bytes. */
function spoil(piece: Buffer, random: () => number): Buffer {
  const spoilt = [...piece];
  for (let left = 1 + Math.floor(random() * 3); left > 0; left -= 1) {
    const at = Math.floor(random() * (spoilt.length + 1));
    const added = random() < 0.7 ? [Math.floor(random() * 256)] : [];
    spoilt.splice(at, random() < 0.7 ? 1 : 0, ...added);
  }
  return Buffer.from(spoilt);
}
