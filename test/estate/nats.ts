/** A real NATS server of a test's own, on a free port of loopback: everything it made is gone after `stop`. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './daemon.ts';
import { accepts, serverProcess } from './server-process.ts';

export interface NatsServer {
  readonly port: number;
  /** `nats://127.0.0.1:PORT`. */
  readonly url: string;
  /** Asks a subject, as anybody, and resolves to the first answer; several answers are not waited for. */
  request(subject: string, payload?: string): Promise<string>;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT: it accepts connections and answers nothing. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

/** @param settings lines of its configuration, such as `jetstream: true`. */
export async function startNats(settings: readonly string[] = []): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), 'nats-'));
  const port = await freePort();
  const configuration = join(folder, 'nats.conf');
  const own = [`listen: "127.0.0.1:${port}"`, 'server_name: probed'];
  await writeFile(configuration, [...own, ...settings.map((line) => line.replaceAll('FOLDER', folder))].join('\n'));
  const server = serverProcess({
    command: 'nats-server',
    arguments: ['-c', configuration],
    ready: () => accepts(port),
  });
  const nats: NatsServer = {
    port,
    url: `nats://127.0.0.1:${port}`,
    request: (subject, payload = '') => request(port, subject, payload),
    start: () => server.start(),
    kill: () => server.end('SIGKILL'),
    pause: () => server.signal('SIGSTOP'),
    resume: () => server.signal('SIGCONT'),
    async stop() {
      await server.end('SIGKILL');
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await server.start();
    return nats;
  } catch (error) {
    await nats.stop();
    throw error;
  }
}

function request(port: number, subject: string, payload: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let heard = '';
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      const answer = /^MSG \S+ 1 +(?:\S+ )?(\d+)\r\n([\s\S]*)/m.exec(heard);
      const [, size = '', body = ''] = answer ?? [];
      if (!answer || body.length < Number(size)) return;
      socket.destroy();
      resolve(body.slice(0, Number(size)));
    });
    const size = Buffer.byteLength(payload);
    socket.write(`CONNECT {"verbose":false}\r\nSUB answers 1\r\nPUB ${subject} answers ${size}\r\n${payload}\r\n`);
  });
}
