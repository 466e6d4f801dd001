/** Delivers lines in their order, over as many connections as it takes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, messageOf } from '../errors.ts';
import type { Connection } from './connection.ts';
import type { Patience, Report } from './protocol.ts';
import type { Format } from './syslog.ts';

export interface DeliveryParts {
  readonly patience: Patience;
  readonly format: Format;
  open(): Promise<Connection>;
  report(report: Report): void;
}

export interface Delivery {
  /** Resolves when all lines were taken. What was under way when a connection broke is sent again. */
  deliver(lines: Uint8Array): Promise<void>;
  end(): Promise<void>;
}

export function createDelivery({ patience, format, open, report }: DeliveryParts): Delivery {
  let connection: Connection | undefined;
  let retryMs = patience.retryMs;
  let away = false;

  /** How many messages were taken: a piece of them, or none. */
  async function attempt(messages: readonly string[]): Promise<number> {
    try {
      if (connection?.isUsable() === false) await drop();
      connection ??= await open();
      const piece = nextPiece(messages, connection.pieceBytes);
      await connection.send(piece);
      arrived();
      return piece.length;
    } catch (error) {
      await drop();
      await stumbled(error);
      return 0;
    }
  }

  async function drop(): Promise<void> {
    await connection?.end();
    connection = undefined;
  }

  function arrived(): void {
    retryMs = patience.retryMs;
    if (away) report({ kind: 'back' });
    away = false;
  }

  async function stumbled(error: unknown): Promise<void> {
    if (!away) report({ kind: 'away', error: describe(error) });
    away = true;
    await sleep(retryMs);
    retryMs = Math.min(retryMs * 2, patience.longestRetryMs);
  }

  return {
    async deliver(lines) {
      const text = Buffer.from(lines.buffer, lines.byteOffset, lines.byteLength).toString();
      let messages = text.split('\n').slice(0, -1).map(format);
      while (messages.length > 0) messages = messages.slice(await attempt(messages));
    },
    end: drop,
  };
}

/** At least one message, and as many as fit. */
function nextPiece(messages: readonly string[], maxBytes: number): readonly string[] {
  let bytes = 0;
  const end = messages.findIndex((message) => {
    bytes += Buffer.byteLength(message);
    return bytes > maxBytes;
  });
  return messages.slice(0, end === -1 ? messages.length : Math.max(1, end));
}

function describe(error: unknown): string {
  const code = codeOf(error);
  const message = messageOf(error);
  return code === undefined || message.includes(code) ? message : `${message} (${code})`;
}
