/** MySQL's packets, checked before the driver parses them: https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html */
import type { Socket } from 'node:net';
import { DriverStream, TOO_LARGE } from '../shared/driver-stream.ts';
import { ProbeFailure } from './failure.ts';
import type { Lifeline } from './lifeline.ts';
import { MysqlRefusal } from './mysql-failure.ts';

/** A length of three bytes, and a number that counts the packets of one exchange. */
const HEADER_BYTES = 4;
const MAX_PACKET_BYTES = 2 ** 20;
/** An honest greeting has about a hundred. */
const MAX_GREETING_BYTES = 4 * 2 ** 10;
const PROTOCOL_VERSION = 10;
const ERROR = 0xff;
const CLIENT_SSL = 0x0800;

export interface Greeting {
  /** As it came. */
  readonly packet: Buffer;
  readonly offersTls: boolean;
}

/** What a server says first. Rejects with what it means when that is a refusal. */
export async function readGreeting(socket: Socket, line: Lifeline): Promise<Greeting> {
  let heard = Buffer.alloc(0);
  let stopListening = () => {};
  try {
    await line.until<void>((done) => {
      const hear = (chunk: Buffer) => {
        heard = Buffer.concat([heard, chunk]);
        const wantedBytes = heard.length < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + heard.readUIntLE(0, 3);
        if (Math.max(wantedBytes, heard.length) > MAX_GREETING_BYTES) line.fail(noMysql());
        else if (heard.length >= wantedBytes && heard.length >= HEADER_BYTES) done();
      };
      const ended = () => line.fail(new ProbeFailure('protocol', 'the connection was closed before it greeted'));
      socket.on('data', hear).once('end', ended);
      stopListening = () => void socket.off('data', hear).off('end', ended);
    });
  } finally {
    stopListening();
  }
  return greetingOf(heard);
}

function greetingOf(packet: Buffer): Greeting {
  const payload = packet.subarray(HEADER_BYTES);
  // More than the one packet would be somebody's who is not behind the TLS.
  if (payload.length !== packet.readUIntLE(0, 3)) throw noMysql();
  if (payload[0] === ERROR && payload.length >= 3) throw refusalOf(payload);
  const versionEnd = payload.indexOf(0, 1);
  // Behind the version: a session number, a salt and a filler, then what the server is able to.
  const abilities = versionEnd + 1 + 4 + 8 + 1;
  if (payload[0] !== PROTOCOL_VERSION || versionEnd < 0 || payload.length < abilities + 2) throw noMysql();
  return { packet, offersTls: (payload.readUInt16LE(abilities) & CLIENT_SSL) !== 0 };
}

/** Sent instead of a greeting, with or without a `#` and a state of five characters. */
function refusalOf(payload: Buffer): MysqlRefusal {
  const text = payload.subarray(3).toString();
  return new MysqlRefusal(payload.readUInt16LE(1), text.replace(/^#.{5}/s, ''));
}

function noMysql(): ProbeFailure {
  return new ProbeFailure('protocol', 'what answers does not speak MySQL');
}

/** The connection as the driver sees it: whole packets, in the order that the protocol asks for. */
export class MysqlStream extends DriverStream {
  readonly #packets: Packets;

  constructor(socket: Socket, line: Lifeline) {
    const packets = new Packets();
    super(socket, line, 'MySQL', (chunk) => packets.cut(chunk));
    this.#packets = packets;
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#packets.sent(chunk);
    super._write(chunk, encoding, done);
  }

  /** The driver parses in here, and prints what it stumbles over, past our log and its redaction. What it throws is told. */
  override emit(event: string | symbol, ...parameters: unknown[]): boolean {
    const { trace, warn } = console;
    const nothing = () => undefined;
    Object.assign(console, { trace: nothing, warn: nothing });
    try {
      return super.emit(event, ...parameters);
    } finally {
      Object.assign(console, { trace, warn });
    }
  }
}

/** Invariant: who sends a packet counts on from the one before, whoever sent that. The driver complains aloud of any other. */
class Packets {
  #chunks: Buffer[] = [];
  #bytes = 0;
  #neededBytes = HEADER_BYTES;
  #next = 0;

  sent(packet: Buffer): void {
    this.#next = ((packet[3] ?? 0) + 1) % 256;
  }

  cut(chunk: Buffer): readonly Buffer[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    // Joined only when a packet is complete: a drip of single bytes costs no more than the same bytes at once.
    if (this.#bytes < this.#neededBytes) return [];
    let rest = Buffer.concat(this.#chunks);
    const packets: Buffer[] = [];
    for (;;) {
      this.#neededBytes = packetBytes(rest);
      if (rest.length < HEADER_BYTES || rest.length < this.#neededBytes) break;
      packets.push(this.#checked(rest.subarray(0, this.#neededBytes)));
      rest = rest.subarray(this.#neededBytes);
    }
    this.#chunks = [rest];
    this.#bytes = rest.length;
    return packets;
  }

  #checked(packet: Buffer): Buffer {
    if (packet[3] !== this.#next) throw new ProbeFailure('protocol', 'not valid MySQL: packets out of order');
    this.#next = (this.#next + 1) % 256;
    return packet;
  }
}

/** The length of the packet that begins here, or that of a header while it is incomplete. */
function packetBytes(buffer: Buffer): number {
  if (buffer.length < HEADER_BYTES) return HEADER_BYTES;
  const length = buffer.readUIntLE(0, 3);
  if (length === 0) throw new ProbeFailure('protocol', 'not valid MySQL: an empty packet');
  if (length > MAX_PACKET_BYTES) throw new ProbeFailure('body', TOO_LARGE);
  return HEADER_BYTES + length;
}
