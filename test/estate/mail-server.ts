/**
 * A real SMTP server on loopback that parses what it accepts, as mail readers do: with STARTTLS and AUTH when asked for,
 * and with the ways in which such servers refuse.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server';
import type { KeyPair } from './hostile-certificates.ts';

export interface MailServerOptions {
  /** Offers STARTTLS; with `secure` TLS from the first byte. Default: no TLS. */
  readonly keys?: KeyPair;
  readonly secure?: boolean;
  /** The only login that may send. Default: anybody may. */
  readonly login?: { readonly user: string; readonly pass: string };
}

export interface ReceivedMail {
  /** As the reader of the mail sees it. */
  readonly parsed: ParsedMail;
  /** As it came, headers and all. */
  readonly raw: string;
  readonly recipients: readonly string[];
  readonly user: string | undefined;
  readonly encrypted: boolean;
}

/** The reply to a command; for RCPT TO only for addresses that begin with `to`. */
export interface MailFault {
  readonly at: 'AUTH' | 'MAIL' | 'RCPT' | 'DATA';
  readonly code: number;
  readonly text?: string;
  readonly to?: string;
}

export interface MailServer {
  readonly port: number;
  /** Accepted mails, oldest first. */
  mails(): readonly ReceivedMail[];
  /** What goes wrong from now on; none mends it. */
  fail(...faults: readonly MailFault[]): void;
  /** DATA is taken, and never answered. */
  hang(): void;
  openConnections(): number;
  close(): Promise<void>;
}

export async function startMailServer({ keys, secure = false, login }: MailServerOptions = {}): Promise<MailServer> {
  const mails: ReceivedMail[] = [];
  let faults: readonly MailFault[] = [];
  let hangs = false;
  const faultAt = (at: MailFault['at'], address = '') =>
    faults.filter((fault) => fault.at === at && address.startsWith(fault.to ?? '')).map(replyOf)[0];

  async function take(stream: Readable, session: SMTPServerSession): Promise<void> {
    const raw = await buffer(stream);
    const { envelope, user } = session;
    mails.push({
      parsed: await simpleParser(raw),
      raw: raw.toString('utf8'),
      recipients: envelope.rcptTo.map(({ address }) => address),
      user: user as string | undefined,
      encrypted: session.secure,
    });
  }

  const options: SMTPServerOptions = {
    secure,
    authOptional: login === undefined,
    logger: false,
    disableReverseLookup: true,
    disabledCommands: keys === undefined ? ['STARTTLS'] : [],
    // Without TLS a login is offered all the same, to see whether a client falls for it.
    allowInsecureAuth: true,
    closeTimeout: 100,
    ...keys,
    onAuth({ username, password }, _session, done) {
      const right = username === login?.user && password === login?.pass;
      const fault = faultAt('AUTH') ?? (right ? undefined : replyOf({ code: 535, text: `5.7.8 not ${password}` }));
      if (fault) done(fault);
      else done(null, { user: username });
    },
    onMailFrom: ({ address }, _session, done) => done(faultAt('MAIL', address)),
    onRcptTo: ({ address }, _session, done) => done(faultAt('RCPT', address)),
    onData(stream, session, done) {
      if (hangs) stream.resume();
      else void take(stream, session).then(() => done(faultAt('DATA')), done);
    },
  };
  const server = new SMTPServer(options);
  // A client that distrusts our certificate, or is cut off, is what tests ask for.
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const address = server.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return {
    port: address.port,
    mails: () => mails,
    fail(...given) {
      faults = given;
    },
    hang() {
      hangs = true;
    },
    openConnections: () => server.connections.size,
    close: () => new Promise((closed) => server.close(() => closed())),
  };
}

function replyOf({ code, text = '4.0.0 as the test wants it' }: Pick<MailFault, 'code' | 'text'>): Error {
  return Object.assign(new Error(text), { responseCode: code });
}

export interface BrokenServer {
  readonly port: number;
  openConnections(): number;
  close(): Promise<void>;
}

/** Listens, and does with each connection as it is told; what it does ends with the connection. */
export async function startBrokenServer(treat: (socket: Socket) => void): Promise<BrokenServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    // The end of a connection is seen only by who reads.
    socket.resume();
    treat(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return {
    port: address.port,
    openConnections: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  };
}
