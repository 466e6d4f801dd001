/** A server of lines of commands, as mail servers are: it greets, answers, and shakes hands after STARTTLS. */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { KeyPair } from './hostile-certificates.ts';
import { type Listening, serveRaw } from './hostile-network.ts';

/** @param answer undefined: silence. */
export async function serveCommands(
  keys: KeyPair,
  answer: (command: string, isSecured: boolean) => string | undefined,
): Promise<Listening> {
  const talk = (socket: Socket, isSecured: boolean) => {
    // What a client does is its own business.
    socket.on('error', () => {});
    const hear = (data: Buffer) => {
      const command = data.toString().trim();
      if (command === 'STARTTLS') {
        socket.off('data', hear);
        socket.write('220 go ahead\r\n');
        talk(new TLSSocket(socket, { isServer: true, ...keys }), true);
      } else {
        const text = answer(command, isSecured);
        if (text !== undefined) socket.write(text);
      }
    };
    socket.on('data', hear);
  };
  return await serveRaw((socket) => {
    socket.write('220 mail.test ready\r\n');
    talk(socket, false);
  });
}
