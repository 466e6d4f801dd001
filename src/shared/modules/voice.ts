/** What a thread says to the daemon. What its module has to say is limited here: a flood of messages would block the daemon. */
import type { Fields } from '../../model.ts';
import type { FromThread } from './protocol.ts';

/** Of one run. */
const PRINTED_CHARS = 4_096;
const SAID_LINES = 20;

export interface Voice {
  send(message: FromThread): void;
  /** A run begins, and may say something again. */
  renew(): void;
  say(probe: string, event: string, fields: Fields): void;
  /** Between the lines of the daemon's log no other text may stand. `keep: false`: it goes nowhere. */
  takePrints(keep: boolean): void;
}

export function createVoice(send: (message: FromThread) => void): Voice {
  let printed = 0;
  let said = 0;

  function print(chunk: string | Uint8Array): void {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const kept = text.slice(0, Math.max(0, PRINTED_CHARS - printed)).trimEnd();
    printed += text.length;
    if (kept !== '') send({ kind: 'printed', text: kept });
  }

  return {
    send,
    renew() {
      printed = 0;
      said = 0;
    },
    say(probe, event, fields) {
      if (++said <= SAID_LINES) send({ kind: 'said', probe, event, fields });
    },
    takePrints(keep) {
      for (const stream of [process.stdout, process.stderr]) {
        stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
          if (keep) print(chunk);
          const done = rest.find((argument) => typeof argument === 'function');
          if (done) process.nextTick(done);
          return true;
        };
      }
    },
  };
}
