/** How another terminal reaches the estate that runs: a socket in this repository's cache, which only its user may open. */
import { once } from 'node:events';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { dirname, resolve } from 'node:path';
import { codeOf, messageOf } from '../src/errors.ts';
import { close, readBody } from '../test/estate/faults.ts';

const SOCKET = resolve(import.meta.dirname, '../.cache/estate/control.sock');

export type Order = 'break' | 'mend';

export interface Control {
  close(): Promise<void>;
}

/** @param obey resolves to what is answered. Errors: another estate runs already. */
export async function listenForOrders(obey: (order: Order, name: string) => Promise<string>): Promise<Control> {
  if (await isAnswered()) throw new Error('an estate of this repository runs already');
  await mkdir(dirname(SOCKET), { recursive: true });
  await rm(SOCKET, { force: true });
  const server = createServer((asked, response) => {
    const [, order = '', name = ''] = (asked.url ?? '').split('/');
    const carriedOut =
      order === 'break' || order === 'mend' ? obey(order, decodeURIComponent(name)) : Promise.resolve('');
    carriedOut.then(
      (text) => response.end(text),
      (error: unknown) => response.writeHead(400).end(messageOf(error)),
    );
  });
  server.listen(SOCKET);
  await once(server, 'listening');
  await chmod(SOCKET, 0o600);
  return { close: () => close(server) };
}

async function isAnswered(): Promise<boolean> {
  return order('', '').then(
    () => true,
    () => false,
  );
}

/** Resolves to the answer of the estate that runs. Errors: there is none, or it refuses. */
export async function order(verb: Order | '', name: string): Promise<string> {
  const asking = request({ socketPath: SOCKET, path: `/${verb}/${encodeURIComponent(name)}` }).end();
  try {
    const [answer] = await once(asking, 'response');
    const text = await readBody(answer);
    if (answer.statusCode !== 200) throw new Error(text);
    return text;
  } catch (error) {
    const isNobody = ['ENOENT', 'ECONNREFUSED'].includes(codeOf(error) ?? '');
    throw isNobody ? new Error('no estate runs here: start it with npm run estate', { cause: error }) : error;
  }
}
